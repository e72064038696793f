"""The Python blocks of CONTRIBUTING.md and docs/pipelines/writing.md run, and do what the text says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from jobs import tracking
from jobs.change import Actor
from jobs.models import Event
from jobs.operations import ACTS
from jobs.rules import pipelines
from jobs.rules.statuses import JobStatus
from jobs.tracking import NewItem, Result
from tests.examples.document_blocks import block
from tests.factories import make_job

pytestmark = pytest.mark.django_db
WRITER = Actor(name="test")


@pytest.fixture
def _stitching() -> Iterator[None]:
    exec(block("docs/pipelines/writing.md#Register a kind"), {})
    yield
    del pipelines._kinds["stitching"]


@pytest.mark.usefixtures("_stitching")
def test_the_documented_pipeline_has_its_phases_and_checks_its_results() -> None:
    job = tracking.create_job(name="wall", kind="stitching", items=[NewItem(key="1")], by=WRITER).job
    tiles, panorama = job.phases.order_by("position")
    assert (tiles.expected, panorama.gated) == (1, True)
    results = [
        Result(key="1", status="completed", result={}),
        Result(key="1", status="completed", result={"checksum": "1"}),
    ]
    refused = tracking.report(tiles, worker="w1", results=results[:1], by=WRITER).results[0]
    applied = tracking.report(tiles, worker="w1", results=results[1:], by=WRITER).results[0]
    assert (refused.outcome, refused.detail) == ("invalid", "A tile needs a checksum.")
    assert applied.outcome == "applied"


@pytest.fixture
def _note_act() -> Iterator[None]:
    exec(block("CONTRIBUTING.md#Adding an act"), {})
    yield
    del ACTS["note"]


@pytest.mark.usefixtures("_note_act")
def test_the_documented_act_is_registered_and_runs() -> None:
    job, act = make_job(items=1), ACTS["note"]
    assert act.states == tuple(JobStatus)
    admin = User.objects.create_superuser("admin")  # no role has the permission of this act
    assert act(job, actor=admin, reason="Checked by hand.").changed == 1
    assert Event.objects.filter(job=job, detail="Noted.").exists()
