"""The chaos run: each of its checks finds what it is for, and a hundred kills break nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from benchmarks.chaos import ledger
from benchmarks.chaos.report import Line, printed
from benchmarks.chaos.soak import Usage, usage_line
from jobs import outbox
from jobs.models import Delivery, Endpoint, Event, Item, Phase
from jobs.operations.endpoints import add_endpoint
from jobs.outbox.endpoint_leases import endpoints_due
from tests import plan
from tests.factories import item_of, make_job, phase_of, take, tell
from tests.servers import ROOT, database_url

KILLS = ["--kills", "100", "--minutes", "20"]
SOAK = ["--soak", "--minutes", "3"]


def note(key: str, *, attempt: int = 1, status: str = "completed", checksum: str = "c") -> dict[str, Any]:
    """Return the note of a worker on an item of the newest job."""
    job = Phase.objects.latest("pk").job_id
    return {"job": job, "key": key, "attempt": attempt, "status": status, "checksum": checksum}


@pytest.mark.django_db
def test_an_outcome_that_was_taken_and_is_not_stored_is_named_unless_it_was_refused() -> None:
    job = make_job(items=4)
    for item in take(phase_of(job), 3):
        tell(phase_of(job), item.key, "completed", attempt=1, result={"checksum": "c"})
    notes = [note("k0"), note("k1", checksum="d"), note("k2", attempt=2), note("k3")]
    assert [text.split("'key': ")[1][:4] for text in ledger.unstored({"notes": notes, "refused": []})] == [
        "'k1'",
        "'k2'",
        "'k3'",
    ]
    assert not ledger.unstored({"notes": [notes[1]], "refused": [[job.pk, "k1", "closed"]]})


@pytest.mark.django_db
def test_an_outcome_behind_a_later_attempt_counts_as_stored() -> None:
    job = make_job(items=1)
    Item.objects.update(attempt=2)
    assert not ledger.unstored({"notes": [note("k0")], "refused": []})
    assert item_of(job, "k0").status == "pending"


@pytest.mark.django_db
def test_counters_completed_events_and_leftovers_are_checked() -> None:
    make_job(items=2, done=2)
    assert not [*ledger.miscounted(), *ledger.miscompleted(), *ledger.leftovers()]
    Phase.objects.update(done=1)
    assert ledger.miscounted()
    Event.objects.filter(type="items.completed").delete()
    assert ledger.miscompleted()
    take(phase_of(make_job(items=1)))
    assert ledger.leftovers() == ["1 items are held"]


@pytest.mark.django_db
def test_messages_are_in_the_order_of_their_job_where_each_came_first() -> None:
    make_job(items=1, done=1)
    ids = [str(pk) for pk in Event.objects.filter(outward=True).order_by("pk").values_list("event_id", flat=True)]
    assert not ledger.disordered([ids[0], ids[0], ids[1], ids[0]])
    assert len(ledger.disordered(ids[::-1])) == 1
    assert len(ledger.undelivered(ids[1:])) == 1


@pytest.mark.django_db
def test_the_end_sends_to_an_endpoint_that_rests_or_whose_deliverer_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    def deliver() -> None:
        found.extend(endpoints_due(timezone.now()))
        Delivery.objects.update(status="sent")

    found: list[Endpoint] = []
    monkeypatch.setattr(outbox, "deliver", deliver)
    endpoint = add_endpoint(url="https://example.com/hook", types=["*"], actor=None).endpoint
    make_job(items=1, done=1)
    Endpoint.objects.update(sender="resting", sender_until=timezone.now() + timedelta(hours=1))
    ledger.settle({})
    assert found == [endpoint]


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        (Usage(24, 48, 108), []),
        (Usage(25, 49, 120), ["more threads", "more descriptors", "more memory"]),
    ],
)
def test_a_soak_allows_pools_that_fill_and_ten_percent_of_memory(after: Usage, broken: list[str]) -> None:
    assert usage_line("serve", Usage(19, 40, 100), after).violations == broken


def test_each_invariant_is_printed_with_its_figure() -> None:
    text = printed([Line("counters = items", "3 phases"), Line("order", "2 messages", ["job 1"])])
    assert text.splitlines() == [
        "ok    counters = items  3 phases",
        "FAIL  order             2 messages",
        "      job 1",
    ]


@pytest.mark.full
@pytest.mark.skipif(not plan.FULL, reason="takes minutes: FULL=1 or make chaos")
@pytest.mark.parametrize("arguments", [KILLS, SOAK])
def test_a_hundred_kills_and_a_soak_break_no_invariant(arguments: list[str]) -> None:
    server = {"POSTGRES_URL": database_url()} if connection.vendor == "postgresql" else {"POSTGRES_URL": ""}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chaos", "--seed", "1", *arguments],
        cwd=ROOT,
        env=os.environ | server,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
