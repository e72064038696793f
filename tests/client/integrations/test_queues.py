"""RQ jobs and Dramatiq messages as items, with real workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from django.conf import settings
from dramatiq.brokers.stub import StubBroker
from progress_client import Client
from progress_client.integrations.dramatiq import ProgressMiddleware, mark

from tests.client.grounds import counts
from tests.examples.site import Site, eventually


def errors(client: Client, site: Site, name: str, key: str) -> list[str]:
    """The logs of the ended attempts of an item, the oldest first."""
    job = site.job(name)
    assert job is not None
    item = next(item for item in site.items(job) if item["key"] == key)
    attempts = client.open(job["id"]).attempts(item["id"])["results"]
    return [attempt["log"] for attempt in reversed(attempts)]


@pytest.mark.redis
def test_rq(variables: dict[str, str], client: Client, site: Site, tmp_path: Path, name: str) -> None:
    job = client.job(name, items=["good", "bad", "third", "killed"])
    (tmp_path / "rq_tasks.py").write_text("""
import os
from pathlib import Path
def good(): pass
def bad(): raise ValueError("no such lamp")
def killed(): os.kill(os.getpid(), 9)
def third():
    tries = Path("tries")
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    if len(tries.read_text()) < 3:
        raise OSError("not yet")
""")
    send = f"""
import os, sys
from redis import Redis
from rq import Queue, Retry
from progress_client.integrations.rq import mark
queue = Queue({name!r}, connection=Redis.from_url(os.environ["BROKER"]))
for word in ("good", "bad", "third", "killed"):
    retry = Retry(max=2) if word == "third" else None
    queue.enqueue("rq_tasks." + word, retry=retry, meta=mark({job.id}, word))
queue.enqueue("rq_tasks.good")
"""
    variables |= {"BROKER": settings.REDIS_URL}
    subprocess.run([sys.executable, "-c", send], env=variables, cwd=tmp_path, check=True, timeout=60)
    worker = [str(Path(sys.executable).with_name("rq")), "worker", name, "--burst", "--url", settings.REDIS_URL]
    words = [*worker, "-w", "progress_client.integrations.rq.ProgressWorker"]
    done = subprocess.run(words, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    eventually(lambda: counts(site, name) == (2, 2, 0, 0), what="all outcomes")
    assert ["not yet" in log for log in errors(client, site, name, "third")] == [True, True]
    assert "no such lamp" in errors(client, site, name, "bad")[0]
    assert "was not reported" not in done.stderr


def test_dramatiq(client: Client, site: Site, name: str) -> None:
    broker = StubBroker()
    broker.add_middleware(ProgressMiddleware(client))
    tries: list[int] = []

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(number: int) -> None:
        if number < 0:
            raise ValueError("no such lamp")

    @dramatiq.actor(broker=broker, max_retries=2, min_backoff=10, max_backoff=20)
    def third() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")

    job = client.job(name, items=["good", "bad", "third"])
    broker.enqueue(mark(work.message(1), job, "good"))
    broker.enqueue(mark(work.message(-1), job, "bad"))
    broker.enqueue(mark(third.message(), job, "third"))
    work.send(3)
    worker: Any = dramatiq.Worker(broker, worker_timeout=10, worker_threads=2)
    worker.start()
    try:
        eventually(lambda: counts(site, name) == (2, 1, 0, 0), what="all outcomes")
    finally:
        worker.stop()
    assert ["not yet" in log for log in errors(client, site, name, "third")] == [True, True]
    assert "no such lamp" in errors(client, site, name, "bad")[0]
