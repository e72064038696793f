"""Separate processes on one database: no item twice and none lost, also when they are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import tracking, watchdog
from jobs.models import Event, Item, Job, Phase
from tests.factories import WORKER, make_job, new_items
from tests.jobs.races.concurrency import assert_whole, fresh
from tests.servers import database_url

pytestmark = pytest.mark.django_db(transaction=True)
PROGRAM = "import django; django.setup(); from tests.jobs.races import forked_workers; forked_workers.main()"
KILLS = 10
TIMEOUT = 60.0


class Forker:
    """A process that forks a child for each task; the children write to files in `where`."""

    def __init__(self, where: Path) -> None:
        self._where = where
        environment = os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tests.settings"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def fork(self, act: str, name: str, *, at: float = 0.0, **command: Any) -> tuple[int, Path]:
        """Fork a child for a task; return its pid and the file that it writes to."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        out = self._where / name
        line = json.dumps({"act": act, "at": at, "out": str(out), **command})
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), out

    def at_once(self, *acts: dict[str, Any]) -> list[list[str]]:
        """Fork children that begin together; return the lines of each once all are over."""
        at = time.time() + 0.1
        outs = [self.fork(name=f"{n}-{at}", at=at, **act)[1] for n, act in enumerate(acts)]
        return [wait_for(out, lambda lines: lines[-1:] == ["over"])[:-1] for out in outs]

    def close(self) -> None:
        """End the process that forks."""
        self._process.communicate(timeout=TIMEOUT)


@pytest.fixture(scope="module")
def forker(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """Provide a process that forks, until the tests of this module are over."""
    made = Forker(tmp_path_factory.mktemp("forker"))
    yield made
    made.close()


def at_least(number: int) -> Callable[[list[str]], bool]:
    """Return whether there are so many lines."""
    return lambda lines: len(lines) >= number


def wait_for(out: Path, ready: Callable[[list[str]], bool]) -> list[str]:
    """Wait until this file is as wanted and return its complete lines; a child that raised fails the test."""
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        lines = out.read_text().split("\n")[:-1] if out.exists() else []
        assert not [line for line in lines if line.startswith("raised")]
        if ready(lines):
            return lines
        time.sleep(0.005)
    raise AssertionError(f"{out.name} was not ready in {TIMEOUT} s.")


def test_four_processes_that_report_lose_nothing(forker: Forker) -> None:
    job = make_job(expected=200)
    command = {"act": "report", "phase": fresh(job).pk, "portions": 10}
    forker.at_once(*[{**command, "prefix": f"p{n}-"} for n in range(4)])
    phase = assert_whole(job)
    assert (phase.done, phase.items_total, phase.status) == (200, 200, "completed")
    assert job.events.filter(type="job.completed").count() == 1


def test_four_processes_that_claim_share_the_items(forker: Forker) -> None:
    job = make_job(items=60)
    command = {"act": "claim", "phase": fresh(job).pk}
    lines = forker.at_once(*[{**command, "prefix": f"w{n}"} for n in range(4)])
    keys = [key for lines_of_one in lines for line in lines_of_one for key in line.split()]
    assert sorted(keys) == sorted(item.key for item in new_items(60))
    phase = assert_whole(job)
    assert (phase.done, phase.status) == (60, "completed")
    assert set(phase.items.values_list("attempt", flat=True)) == {1}


def test_three_processes_that_create_the_same_names_make_each_job_once(forker: Forker) -> None:
    command = {"act": "create", "names": "same", "jobs": 10}
    lines = forker.at_once(*[{**command, "prefix": f"p{n}-"} for n in range(3)])
    created = [line.split() for lines_of_one in lines for line in lines_of_one]
    assert len({pk for pk, _ in created}) == Job.objects.count() == 10
    assert sum(int(new) for _, new in created) == 10
    assert {assert_whole(job).expected for job in Job.objects.all()} == {15}


def test_two_watchdog_processes_do_what_is_due_once(forker: Forker) -> None:
    jobs = [make_job(items=10) for _ in range(5)]
    for job in jobs:
        tracking.announce(fresh(job), expected=11, by=WORKER)
        tracking.claim(fresh(job), worker="w1", by=WORKER)
    lines = forker.at_once(*[{"act": "sweep", "rounds": 5}] * 2)
    assert sum(int(expired) for lines_of_one in lines for expired in lines_of_one) == 50
    assert {assert_whole(job).completed_by for job in jobs} == {"watermark"}


def test_what_was_acknowledged_survives_the_killing_of_the_reporter(forker: Forker) -> None:
    dice = random.Random(4)
    job = make_job(expected=1_000_000)
    phase = fresh(job)
    acknowledged: list[str] = []
    for kill in range(KILLS):
        prefix, least = f"r{kill}-", dice.randint(1, 12)
        pid, out = forker.fork("report", prefix, phase=phase.pk, prefix=prefix)
        wait_for(out, at_least(least))
        time.sleep(dice.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
        acknowledged += [f"{prefix}{portion}-{n}" for portion in wait_for(out, bool) for n in range(5)]
    assert_nothing_is_half_done(phase, acknowledged)


def test_what_was_claimed_and_acknowledged_survives_the_killing_of_the_worker(forker: Forker) -> None:
    dice = random.Random(5)
    job = make_job(items=3000)
    acknowledged: list[str] = []
    for kill in range(KILLS):
        least = dice.randint(1, 8)
        pid, out = forker.fork("claim", f"c{kill}", phase=fresh(job).pk, prefix=f"c{kill}")
        wait_for(out, at_least(least))
        time.sleep(dice.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
        acknowledged += [key for line in wait_for(out, bool) for key in line.split()]
    assert_nothing_is_half_done(fresh(job), acknowledged)
    held = Item.objects.held().filter(phase__job=job)
    assert held.count() <= 3 * KILLS
    assert held.filter(lease_expires_at__isnull=True).count() == 0


def assert_nothing_is_half_done(phase: Phase, acknowledged: list[str]) -> None:
    """Check that all acknowledged work is stored, at most one portion of each child more, and equal counters."""
    completed = set(phase.items.filter(status="completed").values_list("key", flat=True))
    assert set(acknowledged) <= completed
    assert len(completed) - len(acknowledged) <= 5 * KILLS
    assert watchdog.recount() == []
    assert assert_whole(phase.job).done == len(completed) == sum(phase.tallies.values_list("done", flat=True))
    ids = list(Event.objects.order_by("pk").values_list("pk", flat=True))
    assert ids == sorted(set(ids))
