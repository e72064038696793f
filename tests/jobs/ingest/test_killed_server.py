"""A server that is killed under full load: every acknowledged report is stored, and the counters equal the items."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from random import Random
from threading import Event, Lock

import pytest

from jobs.models import Job
from tests.factories import make_job, phase_of
from tests.jobs.api.conftest import Api
from tests.jobs.races.concurrency import assert_whole
from tests.plan import size
from tests.servers import Server, Uvicorn, on_test_database

CONNECTIONS = 16
ITEMS = CONNECTIONS * 500
ROUNDS = size(1, full=100)


class Load:
    """Workers that report single items until their server is gone, and the items whose reports were acknowledged."""

    def __init__(self, server: Server, job: Job, *, enough: int) -> None:
        self.server, self.job, self.enough = server, job, enough
        self.acknowledged: set[str] = set()
        self.has_enough = Event()
        self._lock = Lock()
        self._apis = [Api("worker", server=server) for _ in range(CONNECTIONS)]

    def report(self, worker: int) -> None:
        """Report one item after another of this worker's share."""
        path = f"/api/v1/jobs/{self.job.pk}/phases/items/report"
        try:
            for number in range(worker, ITEMS, CONNECTIONS):
                key = f"k{number}"
                body = {"worker": f"w{worker}", "results": [{"key": key, "status": "completed"}]}
                if self._apis[worker].client.post(path, body).status_code == 200:
                    self._acknowledge(key)
        except (OSError, HTTPException):  # the server is gone
            return

    def _acknowledge(self, key: str) -> None:
        with self._lock:
            self.acknowledged.add(key)
            if len(self.acknowledged) >= self.enough:
                self.has_enough.set()


@pytest.mark.full
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_killed_server_loses_no_acknowledged_report(seed: int) -> None:
    job = make_job(items=ITEMS)
    server = Uvicorn(on_test_database())
    server.start()
    load = Load(server, job, enough=Random(seed).randrange(50, 400))
    with ThreadPoolExecutor(CONNECTIONS) as workers:
        running = [workers.submit(load.report, number) for number in range(CONNECTIONS)]
        assert load.has_enough.wait(60)
        server.kill()
        for each in running:
            each.result()
    stored = set(phase_of(job).items.filter(status="completed").values_list("key", flat=True))
    assert load.acknowledged <= stored
    assert len(stored - load.acknowledged) <= CONNECTIONS  # at most one report of each was under way
    assert assert_whole(job).done == len(stored)
