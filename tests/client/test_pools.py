"""Executors that fork or start processes: a client that was used before works in them, and nothing is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from django.conf import settings
from jupyter_client.manager import KernelManager
from progress_client import Client

from tests.client.forked_scripts import Run
from tests.client.grounds import counts, environment, network
from tests.examples.site import Site, eventually
from tests.servers import free_port

# A module of a worker's author: the client is made and used when it is imported.
MODULE = """
import os
from progress_client import Client
client = Client()
name = os.environ["JOB"]
job = client.find(name)
job.tell("0")

def work(number):
    assert client.open(job.id).name == name
    job.tell(str(number))
    client.flush()
    return os.getpid()
"""
COUNT = 12


@pytest.fixture
def variables(site: Site, client: Client, folder: Path, tmp_path: Path, name: str) -> dict[str, str]:
    """The environment of a program that imports the module, with a job for it."""
    client.job(name, items=map(str, range(COUNT)))
    (tmp_path / "work_module.py").write_text(MODULE)
    made = environment(site.url, site.token, journal=folder)
    return {**made, "PYTHONPATH": f"{made['PYTHONPATH']}:{tmp_path}", "JOB": name}


@contextmanager
def started(*words: str, variables: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program, which is ended afterwards together with its children."""
    with log.open("wb") as out:
        process = subprocess.Popen(words, env=variables, stdout=out, stderr=out, cwd=log.parent, start_new_session=True)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.mark.parametrize(
    "pool",
    [
        "ProcessPoolExecutor(2, multiprocessing.get_context('fork'))",
        "ProcessPoolExecutor(2, multiprocessing.get_context('spawn'))",
        "ProcessPoolExecutor(2, multiprocessing.get_context('forkserver'))",
        "multiprocessing.get_context('fork').Pool(2)",
        "multiprocessing.get_context('spawn').Pool(2)",
    ],
)
def test_pools_of_processes(run: Run, site: Site, variables: dict[str, str], name: str, pool: str) -> None:
    said = run(
        f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import work_module
with {pool} as pool:
    print(len(set(pool.map(work_module.work, range(1, {COUNT})))), os.getpid())
work_module.client.close()
""",
        **variables,
    )
    assert said.split()[0] in ("1", "2")
    assert counts(site, name) == (COUNT, 0, 0, 0)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_joblib(run: Run, site: Site, variables: dict[str, str], name: str, backend: str) -> None:
    run(
        f"""
from joblib import Parallel, delayed
import work_module
Parallel(n_jobs=2, backend={backend!r})(delayed(work_module.work)(number) for number in range(1, {COUNT}))
work_module.client.close()
""",
        **variables,
    )
    assert counts(site, name) == (COUNT, 0, 0, 0)


def test_gunicorn_with_a_preloaded_app(site: Site, variables: dict[str, str], tmp_path: Path, name: str) -> None:
    (tmp_path / "app.py").write_text("""
import work_module

def application(environ, start_response):
    work_module.job.refresh()
    work_module.job.tell(environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [])
    return [str(work_module.os.getpid()).encode()]
""")
    port = free_port()
    words = ["-m", "gunicorn", "--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}", "app:application"]
    log = tmp_path / "gunicorn.log"
    with started(sys.executable, *words, variables=variables, log=log) as server:
        eventually(lambda: "Booting worker" in log.read_text(), what="a worker")
        answered = [urlopen(f"http://127.0.0.1:{port}/{number}").read() for number in range(1, COUNT)]
        assert str(server.pid).encode() not in answered
        eventually(lambda: counts(site, name) == (COUNT, 0, 0, 0), what="all outcomes")
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.mark.redis
def test_celery_prefork_on_redis(
    site: Site, client: Client, variables: dict[str, str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "tasks.py").write_text("""
import os
import re
import signal
import work_module
from celery import Celery
app = Celery("tasks", broker=os.environ["BROKER"])
app.conf.update(task_default_queue=os.environ["JOB"], task_acks_late=True, task_reject_on_worker_lost=True)

@app.task
def work(number):
    work_module.job.refresh()
    work_module.job.tell(str(number))
    if number == 5 and not os.path.exists("died"):
        open("died", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
""")
    variables |= {"BROKER": settings.REDIS_URL, "C_FORCE_ROOT": "1"}
    variables.pop("DJANGO_SETTINGS_MODULE", None)  # Celery would start Django
    send = f"import tasks\nfor number in range(1, {COUNT}):\n    tasks.work.delay(number)"
    pool = ["--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING"]
    words = [sys.executable, "-m", "celery", "-A", "tasks", "worker", *pool]
    with started(*words, variables=variables, log=tmp_path / "celery.log") as worker:
        subprocess.run([sys.executable, "-c", send], env=variables, cwd=tmp_path, check=True)
        eventually(lambda: counts(site, name)[0] == COUNT, what="all outcomes")
        worker.terminate()
        assert worker.wait(30) == 0
    assert (tmp_path / "died").exists()
    assert client.refused == []


def test_a_child_that_is_killed_with_results_waiting_loses_none(
    run: Run, site: Site, variables: dict[str, str], client: Client, name: str
) -> None:
    with network(site) as proxy:
        run(
            f"""
client = Client()
job = client.find(name)
job.tell("0")
client.flush()

def dies():
    client._session.transport._route._netloc = "127.0.0.1:9"
    for number in range(1, {COUNT}):
        job.tell(str(number))
    os.kill(os.getpid(), 9)

child = fork(dies)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
assert client.replay(timeout=20)
client.close()
""",
            url=proxy.url,
        )
    assert counts(site, name) == (COUNT, 0, 0, 0)


def test_a_client_in_a_jupyter_kernel(site: Site, variables: dict[str, str], name: str) -> None:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=variables)
    kernel = manager.client()
    kernel.start_channels()

    def cell(code: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = []
        reply = kernel.execute_interactive(code, timeout=60, output_hook=shown.append)
        assert reply["content"]["status"] == "ok", reply["content"]
        return shown

    try:
        kernel.wait_for_ready(timeout=60)
        cell("from progress_client import Client\nimport os\nclient = Client()\njob = client.find(os.environ['JOB'])")
        shown = cell("""
for item in job.claim(batch=2):
    with item:
        pass
    client.flush()
    if item.key == "3":
        break
client.flush()
""")
        bars = [m["content"] for m in shown if m["msg_type"] in ("display_data", "update_display_data")]
        assert bars, shown
        assert re.search(rf"{name}  \d\d% .*[1-4]/12", bars[-1]["data"]["text/plain"])
        assert re.search('<progress value="[1-4]" max="12">', bars[-1]["data"]["text/html"])
        assert len({content["transient"]["display_id"] for content in bars}) == 1
        cell("""
import multiprocessing
def work():
    for item in job.claim(batch=1, wait=False, progress=False):
        with item:
            pass
children = [multiprocessing.get_context("fork").Process(target=work) for _ in range(2)]
[child.start() for child in children]
[child.join() for child in children]
assert [child.exitcode for child in children] == [0, 0]
client.close()
""")
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)
    assert counts(site, name) == (COUNT, 0, 0, 0)
