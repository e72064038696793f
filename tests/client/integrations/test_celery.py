"""Celery tasks as items, with real workers over Redis."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from progress_client import Client

from tests.client.grounds import counts, environment
from tests.client.test_pools import started
from tests.examples.site import Site, eventually

pytestmark = pytest.mark.redis

TASKS = """
import os, signal, time
from celery import Celery, chord, group
from progress_client import Client
from progress_client.integrations.celery import mark, send, watch

app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(task_default_queue=os.environ["QUEUE"], result_expires=60, worker_prefetch_multiplier=1)
client = Client()
watch(client)

@app.task
def double(number):
    if number < 0:
        raise ValueError("no such lamp")
    return 2 * number

@app.task
def total(numbers):
    return sum(numbers)

@app.task
def sleep(seconds):
    time.sleep(seconds)

@app.task(bind=True, max_retries=2)
def third_time(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.2, exc=OSError("not yet"))
"""


class Worker:
    """A worker of Celery, and programs that send tasks to it."""

    def __init__(self, variables: dict[str, str], folder: Path) -> None:
        self._variables, self._folder = variables, folder

    def send(self, code: str) -> str:
        """Run this code after `from tasks import *`; return what it prints."""
        words = [sys.executable, "-c", f"from tasks import *\n{code}\nclient.close()"]
        done = subprocess.run(
            words, env=self._variables, cwd=self._folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def worker(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("celery")
    (folder / "tasks.py").write_text(TASKS)
    variables = environment(site.url, site.token, journal=folder / "journal")
    variables.pop("DJANGO_SETTINGS_MODULE", None)  # Celery would start Django
    variables |= {"BROKER": settings.REDIS_URL, "QUEUE": str(folder), "C_FORCE_ROOT": "1"}
    variables["PYTHONPATH"] += f":{folder}"
    words = ["celery", "-A", "tasks", "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO"]
    log = folder / "celery.log"
    with started(sys.executable, "-m", *words, variables=variables, log=log):
        eventually(lambda: " ready." in log.read_text(), what="the worker")
        yield Worker(variables, folder)
    text = log.read_text()
    assert "was not reported" not in text, text


def items(site: Site, name: str) -> dict[str, dict[str, Any]]:
    """The items of the first phase by their keys."""
    job = site.job(name)
    assert job is not None
    return {item["key"]: item for item in site.items(job)}


def test_tasks_report_their_items(worker: Worker, site: Site, client: Client, name: str) -> None:
    job = client.job(name, items=["a", "b"])
    worker.send(f"[double.apply_async((n,), headers=mark({job.id}, k)) for n, k in [(1, 'a'), (-1, 'b')]]")
    eventually(lambda: counts(site, name)[:2] == (1, 1), what="both outcomes")
    found = items(site, name)
    assert found["b"]["error"] == "ValueError: no such lamp"
    log = client.open(job.id).attempts(found["b"]["id"])["results"][0]["log"]
    assert "in double" in log


def test_a_retried_task_waits_and_keeps_its_errors(worker: Worker, site: Site, client: Client, name: str) -> None:
    job = client.job(name, items=["a"])
    worker.send(f"third_time.apply_async(headers=mark({job.id}, 'a'))")
    eventually(lambda: counts(site, name)[0] == 1, what="the success")
    attempts = client.open(job.id).attempts(items(site, name)["a"]["id"])["results"]
    assert ["not yet" in attempt["log"] for attempt in attempts] == [True, True]


def test_a_running_task_is_processing_until_it_ends(worker: Worker, site: Site, client: Client, name: str) -> None:
    job = client.job(name, items=["a"])
    worker.send(f"sleep.apply_async((3,), headers=mark({job.id}, 'a'))")
    eventually(lambda: counts(site, name) == (0, 0, 1, 0), what="the start")
    eventually(lambda: counts(site, name) == (1, 0, 0, 0), what="the end")


def test_a_revoked_task_is_skipped(worker: Worker, site: Site, client: Client, name: str) -> None:
    job = client.job(name, items=["a", "b"])
    worker.send(f"""
later = sleep.apply_async((0,), countdown=2, headers=mark({job.id}, 'a'))
later.revoke()
running = sleep.apply_async((60,), headers=mark({job.id}, 'b'))
time.sleep(1)
running.revoke(terminate=True)
""")
    eventually(lambda: counts(site, name)[:2] == (0, 1), what="the terminated task")
    eventually(lambda: items(site, name)["a"]["status"] == "skipped", what="the revoked task")
    assert items(site, name)["b"]["error"] == "The task was terminated."


def test_a_group_is_one_job(worker: Worker, site: Site, name: str) -> None:
    said = worker.send(f"""
job, result = send({name!r}, group(double.s(n) for n in range(5)), client=client)
print(result.get(timeout=30))
""")
    assert json.loads(said) == [0, 2, 4, 6, 8]
    eventually(lambda: site.job(name)["status"] == "completed", what="the job")  # type: ignore[index]
    assert {item["label"] for item in items(site, name).values()} == {f"tasks.double({n})" for n in range(5)}


def test_a_chord_is_one_job_with_its_callback(worker: Worker, site: Site, name: str) -> None:
    said = worker.send(f"""
job, result = send({name!r}, chord([double.s(n) for n in range(4)], total.s()), client=client)
print(result.get(timeout=30))
""")
    assert said == "12\n"
    job = eventually(lambda: (found := site.job(name)) and found["status"] == "completed" and found, what="the job")
    assert [(phase["code"], phase["done"]) for phase in job["phases"]] == [("items", 4), ("callback", 1)]


def test_tasks_without_a_mark_are_left_alone(worker: Worker) -> None:
    assert worker.send("print(double.delay(4).get(timeout=30))") == "8\n"
