"""Forked children: they work with their own connections, threads and journal, or are refused with a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from progress_client import Client

from tests.client.forked_scripts import PRELUDE, Run
from tests.client.grounds import counts, environment, network
from tests.examples.site import Site, eventually


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
                # A slow child closes the inherited file a moment later.
                eventually(lambda: heir.replay(timeout=10) and counts(site, name)[0] == 1, what="the outcome")
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
    inner._route._netloc = "127.0.0.1:9"
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
