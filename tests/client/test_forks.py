"""Forked children: they work with their own connections, threads and journal, or are refused with a sentence."""

from __future__ import annotations

import os
import pickle
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from progress_client import Client
from progress_client.errors import refusal

from tests.client.grounds import counts, environment, network
from tests.examples.site import ROOT, Site, eventually

PRELUDE = """
import logging, os, sys, threading, time
from pathlib import Path
from progress_client import AsyncClient, Client, ProgressError, ProgressTracker, forks, session
logging.basicConfig(format="%(process)d %(message)s")
session.CLOSE_SECONDS = 5.0
name = sys.argv[1]

def fork(run, *arguments, clean=False):
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        run(*arguments)
        code = 0
    except SystemExit:
        raise
    except BaseException:
        import traceback
        traceback.print_exc()
    if clean and not code:
        sys.exit(0)
    os._exit(code)

def wait(*children):
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def refused(call):
    try:
        call()
    except ProgressError as error:
        return str(error)
    raise AssertionError("it was not refused")
"""
BUSY = """
over = threading.Event()

def busy(call):
    def run():
        while not over.wait(0.002):
            call()
    threading.Thread(target=run, daemon=True).start()
"""

Run = Callable[..., str]


@pytest.fixture
def run(site: Site, folder: Path, name: str) -> Run:
    """Run a script that forks; everything that it and its children print."""

    def call(code: str, *, url: str = "", token: str = "", **variables: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + BUSY + code, name],
            cwd=ROOT,
            env=environment(url or site.url, token or site.token, journal=folder) | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    return call


def test_children_and_their_parent_get_their_own_answers_while_threads_of_the_parent_run(
    run: Run, client: Client, site: Site, name: str, folder: Path
) -> None:
    for number in range(3):
        client.job(f"{name}-{number}", items=map(str, range(40)))
    run("""
client = Client(worker="w")
jobs = [client.find(f"{name}-{number}") for number in range(3)]
busy(jobs[0].refresh)
busy(lambda: jobs[0].tell("0"))

def work(number):
    for _ in range(40):
        body = client.open(jobs[number].id).body
        assert body["name"] == f"{name}-{number}", body["name"]
    for key in range(40):
        jobs[number].tell(str(key))
    over.set()
    assert client.flush(timeout=20)
    assert client.worker == (f"w-{os.getpid()}" if number else "w")

children = [fork(work, 1), fork(work, 2)]
wait(*children)
work(0)
client.close()
""")
    assert [counts(site, f"{name}-{number}")[0] for number in range(3)] == [40, 40, 40]
    client.replay()
    eventually(lambda: [path.name.startswith("w1") for path in folder.iterdir()] == [True], what="one journal")


def test_locks_that_threads_hold_at_the_fork_hold_no_child_up(run: Run, client: Client, site: Site, name: str) -> None:
    client.job(name, items=["a", "b"])
    run("""
client = Client()
job = client.find(name)
job.tell("a")
inner = client._session
locks = [inner._lock, inner.transport._lock, inner.outbox._changed, inner.outbox._journal._lock,
         inner.lease_renewer._changed, inner.stop._cond, logging.getLogger().handlers[0].lock]
held = threading.Event()

def hold():
    for lock in locks[:-1]:
        lock.acquire()
    held.set()
    over.wait()

threading.Thread(target=hold, daemon=True).start()
held.wait()

def work():
    job.tell("b")
    client.close()

wait(fork(work))
os._exit(0)
""")
    assert counts(site, name)[0] == 1
    client.replay()
    assert counts(site, name)[0] == 2


def test_what_a_child_leaves_behind_is_told_by_its_parent(run: Run, client: Client, site: Site, name: str) -> None:
    client.job(name, items=["a", "b", "c"])
    run("""
client = Client()
job = client.find(name)
job.tell("a")
wait(fork(job.tell, "b"))
job.tell("c")
assert client.replay(timeout=10)
client.close()
""")
    assert counts(site, name)[0] == 3


def test_a_child_that_lives_longer_does_not_keep_the_journal_of_its_dead_parent(
    client: Client, site: Site, name: str, folder: Path
) -> None:
    client.job(name, items=["a", "b"])
    code = """
client = Client(worker="parent")
job = client.find(name)
os.environ["PROGRESS_URL"] and print("ready", flush=True)
sys.stdin.readline()
job.tell("a")
child = os.fork()
if not child:
    time.sleep(60)
print(child, flush=True)
os.kill(os.getpid(), 9)
"""
    with network(site) as proxy:
        variables = environment(proxy.url, site.token, journal=folder)
        parent = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + code, name],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdout.readline()
        proxy.cut()
        parent.stdin.write("\n")
        parent.stdin.flush()
        child = int(parent.stdout.readline())
        try:
            parent.wait(timeout=10)
            proxy.mode = "pass"
            with Client(proxy.url, token=site.token, worker="heir", journal=folder) as heir:
                assert heir.replay(timeout=10)
            assert counts(site, name)[0] == 1
        finally:
            os.kill(child, signal.SIGKILL)
            parent.stdout.close()
            parent.stdin.close()


def test_items_loops_and_watches_of_the_parent_are_refused_in_a_child_and_stay_the_parents(
    run: Run, client: Client, site: Site, name: str
) -> None:
    client.job(name, items=["a", "b", "c"])
    said = run("""
client = Client()
job = client.find(name)
watch = job.watch()
next(watch)
loop = job.claim(batch=3, progress=True)
first = next(loop)

def work():
    calls = (first.complete, first.give_back, first.check, first.__enter__, lambda: next(loop), lambda: next(watch))
    for call in calls:
        print(refused(call), flush=True)
    try:
        with_item()
    except ValueError:
        pass
    loop.close()
    client.close()

def with_item():
    first.__exit__(ValueError, ValueError("of the child"), None) or sys.stdout.write("not swallowed\\n")
    raise ValueError

with first:
    wait(fork(work), fork(sys.exit, 0))
assert next(watch)["status"] == "processing"
for item in loop:
    with item:
        pass
client.close()
""")
    sentence = (
        f"was claimed in process {said.split('in process ')[1].split()[0]} and this is another one, forked from it"
    )
    assert said.count(f"'a' {sentence}; report it there, or claim items here.") == 4
    assert "This loop over claim() began in process" in said
    assert "This watch() began in process" in said
    assert counts(site, name) == (3, 0, 0, 0)


def test_a_child_claims_for_itself_and_gives_back_what_it_has_not_done(
    run: Run, client: Client, site: Site, name: str
) -> None:
    client.job(name, items=map(str, range(6)))
    run("""
client = Client(worker="w")
job = client.find(name)
loop = job.claim(batch=2)
first = next(loop)

def work():
    for item in job.claim(batch=2, wait=False):
        assert item.worker == f"w-{os.getpid()}"
        assert set(client._session.lease_renewer.leased()) and first not in client._session.lease_renewer.leased()
        with item:
            sys.exit(0)

with first:
    wait(fork(work, clean=True))
second = next(loop)
with second:
    pass
client.close()
""")
    assert counts(site, name) == (2, 0, 0, 4)


WORKERS = """
import os
from progress_client import Client
client = Client(worker="pool")
name = os.environ["JOB"]
job = client.find(name)
job.refresh()

def work(number):
    assert client.open(job.id).name == name
    job.tell(str(number))

def other(number):
    Client(journal=None).find(name).tell(str(number))
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_child_of_multiprocessing_works_and_its_end_tells_what_waits(
    run: Run, client: Client, site: Site, name: str, folder: Path, tmp_path: Path, method: str
) -> None:
    client.job(name, items=map(str, range(6)))
    (tmp_path / "workers.py").write_text(WORKERS)
    run(
        f"""
import multiprocessing, pickle
import workers
busy(workers.job.refresh)
context = multiprocessing.get_context({method!r})
context.set_forkserver_preload(["workers"])
children = [context.Process(target=workers.work, args=(number,)) for number in range(4)]
children += [context.Process(target=workers.other, args=(number,)) for number in (4, 5)]
for child in children:
    child.start()
for child in children:
    child.join()
    assert child.exitcode == 0
for thing in (workers.client, workers.job, AsyncClient(), ProgressTracker()):
    sentence = refused(lambda: pickle.dumps(thing))
    assert "cannot be sent to another process; create a" in sentence, sentence
[item] = [next(workers.client.job(name + "-item", items=["x"]).claim(batch=1))]
assert "send its key" in refused(lambda: pickle.dumps(item))
workers.client.close()
""",
        PYTHONPATH=f"{environment('', '', journal=folder)['PYTHONPATH']}:{tmp_path}",
        JOB=name,
    )
    assert counts(site, name) == (6, 0, 0, 0)


def test_a_refusal_arrives_whole_from_a_child() -> None:
    error = refusal(404, {"detail": "No.", "code": "c", "errors": [{"field": "name", "detail": "Too long."}]})
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), arrived.args, vars(arrived)) == (type(error), error.args, vars(error))


def test_the_asyncio_client_works_in_a_child(run: Run, client: Client, site: Site, name: str) -> None:
    client.job(name, items=map(str, range(8)))
    run("""
import asyncio
client = AsyncClient(worker="a")

async def begin():
    global job, loop, first
    job = await client.find(name)
    loop = job.claim(batch=2, progress=False)
    first = await anext(loop)

async def work():
    refusal = ""
    try:
        await anext(loop)
    except ProgressError as error:
        refusal = str(error)
    assert "call claim() here" in refusal, refusal
    async for item in job.claim(batch=2, wait=False, progress=False):
        async with item:
            assert (await job.refresh()).name == name
    await client.close()

async def end():
    async with first:
        pass
    await client.close()

everything = asyncio.new_event_loop()
everything.run_until_complete(begin())
wait(fork(lambda: asyncio.run(work())), fork(lambda: asyncio.run(work())))
everything.run_until_complete(end())
""")
    assert counts(site, name) == (7, 0, 0, 1)


def test_a_tracker_is_a_worker_of_its_own_in_a_child(
    run: Run, client: Client, operator: str, site: Site, name: str
) -> None:
    client.job(name, items=list("abcd"))
    run(
        """
tracker = ProgressTracker(worker="t")
job = tracker.get_job_id(name)
images = [image for image, _, _ in tracker.get_pending_images(job)]
assert tracker.mark_processing(images[0])
busy(lambda: tracker.get_progress(job))

def work(own):
    assert tracker.worker == f"t-{os.getpid()}"
    assert not tracker.mark_processing(images[0])
    assert tracker.mark_processing(own)
    assert tracker.mark_completed(own)
    assert tracker.reset_stuck_images(job) == 0
    tracker.close()

wait(fork(work, images[1]), fork(work, images[2]))
assert tracker.mark_processing(images[0])
tracker.close()
""",
        token=operator,
    )
    assert counts(site, name) == (2, 0, 0, 2)


def test_a_child_says_in_the_log_what_it_could_not_tell(run: Run, client: Client, site: Site, name: str) -> None:
    client.job(name, items=["a", "b"])
    with network(site) as proxy:
        said = run(
            """
session.CLOSE_SECONDS = 0.0
client = Client()
job = client.find(name)

def work():
    inner = client._session.transport
    inner._netloc = "127.0.0.1:9"
    job.tell("a")
    job.tell("b")
    print("child", os.getpid(), flush=True)
    client.close()

wait(fork(work))
client.close()
""",
            url=proxy.url,
        )
    child = said.partition("child ")[2].split()[0]
    assert f"{child} 2 outcomes could not be reported; they stay in the journal" in said


class Answer(BaseHTTPRequestHandler):
    """Answers with the number of the connection, which it keeps."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self) -> None:
        super().setup()
        Answer.connections += 1
        self.number = Answer.connections

    def do_GET(self) -> None:
        body = b'{"id": %d, "name": "", "status": "", "phases": []}' % self.number
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def certificate(path: Path) -> Path:
    """A certificate of 127.0.0.1 and its key, in one file."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_child_leaves_the_connections_of_its_parent_alone(run: Run, tmp_path: Path, scheme: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    file = certificate(tmp_path / "certificate.pem")
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        said = run(
            """
client = Client(journal=None)
first = client.open(1).id
before = set(os.listdir("/proc/self/fd"))

def work():
    own = client.open(1).id
    assert own != first
    client.close()
    client._session.transport._idle.clear()
    open_files = {file: Path(f"/proc/self/fd/{file}") for file in os.listdir("/proc/self/fd")}
    targets = [str(path.readlink()) for file, path in open_files.items() if file in before and path.is_symlink()]
    assert not [target for target in targets if target.startswith("socket:")], targets

wait(fork(work, clean=True), fork(work))
for _ in range(3):
    assert client.open(1).id == first
client.close()
""",
            url=f"{scheme}://localhost:{server.server_port}",
            SSL_CERT_FILE=str(file),
        )
        assert said == ""
    finally:
        server.shutdown()
        server.server_close()
