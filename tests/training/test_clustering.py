"""Clustering: pending, running, completed or failed; it has no items, so its worker says where it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from jobs import operations, tracking
from jobs.models import Event
from jobs.rules.errors import WrongState
from tests.factories import WORKER, outward
from tests.jobs.races.concurrency import threads
from tests.jobs.rules.conftest import Clock
from tests.training.factories import (
    body,
    clustering,
    completed_session,
    finish,
    job_of,
    make_session,
    part,
    ready,
    unified,
)
from training import sessions
from training.models import ClusteringRun, TrainingSession

pytestmark = pytest.mark.django_db


def shown(session: TrainingSession) -> tuple[str, int, int, float]:
    """Status, current, total and percentage as the unified answer has them."""
    clustered = unified(session)["phases"]["clustering"]
    progress = clustered["progress"]
    return clustered["status"], progress["current"], progress["total"], progress["percentage"]


def test_it_goes_from_pending_to_running_to_completed_with_its_times(clock: Clock) -> None:
    session = ready()
    assert shown(session) == ("pending", 0, 0, 0.0)
    started = clock.forward(10)
    clustering(session, "running")
    assert shown(session) == ("running", 0, 0, 0.0)
    assert unified(session)["overallProgress"]["percentage"] == 95.0
    finished = clock.forward(10)
    clustering(session, "completed", clusters_created=5)
    assert shown(session) == ("completed", 0, 0, 100.0)
    phase = unified(session)["phases"]["clustering"]
    assert (phase["startedAt"], phase["completedAt"], phase["clustersCreated"]) == (started, finished, 5)


def test_it_may_say_how_far_it_is() -> None:
    session = ready()
    clustering(session, "running", current=1, total=3)
    assert shown(session) == ("running", 1, 3, 33.33)
    assert unified(session)["overallProgress"]["percentage"] == 96.67
    clustering(session, "running", current=3)
    assert shown(session) == ("running", 3, 3, 99.99)
    assert unified(session)["overallProgress"]["percentage"] == 99.99
    assert unified(session)["overallStatus"] == "running"


def test_a_lower_number_changes_nothing_and_another_total_replaces_the_first() -> None:
    session = ready()
    clustering(session, "running", current=5, total=20)
    clustering(session, "running", current=2, total=10)
    assert shown(session) == ("running", 5, 10, 50.0)


def test_a_total_that_is_reached_does_not_complete_it() -> None:
    session = ready()
    clustering(session, "running", current=10, total=10)
    assert part(session, "clustering").expected is None
    assert job_of(session).status == "processing"


def test_running_again_changes_nothing(clock: Clock) -> None:
    session = ready()
    clustering(session, "running", current=1, total=3)
    revision, started = job_of(session).revision, part(session, "clustering").started_at
    now = clock.forward(60)
    clustering(session, "running", current=1, total=3)
    assert (job_of(session).revision, part(session, "clustering").started_at) == (revision, started)
    assert job_of(session).heartbeat_at == now


@pytest.mark.parametrize(("fields", "clusters"), [({}, 0), ({"clusters_created": 0}, 0), ({"clusters_created": 7}, 7)])
def test_it_completes_at_once_and_without_clusters(fields: dict[str, Any], clusters: int) -> None:
    session = ready()
    clustering(session, "completed", **fields)
    assert unified(session)["overallStatus"] == "completed"
    assert unified(session)["overallProgress"] == {"percentage": 100.0, "etaSeconds": None, "currentPhase": "completed"}
    assert body(session)["clustering"]["clusters_created"] == clusters


def test_completed_again_adds_only_the_number_that_was_missing() -> None:
    session = ready()
    clustering(session, "completed")
    clustering(session, "completed", clusters_created=4)
    clustering(session, "completed", clusters_created=9)
    clustering(session, "running", current=3, total=8)
    assert body(session)["clustering"]["clusters_created"] == 4
    assert shown(session) == ("completed", 0, 0, 100.0)
    assert len(outward(job_of(session), "clustering.completed")) == 1
    assert len(outward(job_of(session), "job.completed")) == 1


def test_what_was_counted_is_the_total_in_the_end() -> None:
    session = ready()
    clustering(session, "completed", current=8, clusters_created=2)
    assert shown(session) == ("completed", 8, 8, 100.0)


def test_it_fails_with_its_sentence_and_only_it_is_restarted() -> None:
    session = ready()
    clustering(session, "running", current=3, total=10)
    clustering(session, "failed", error="HDBSCAN ran out of memory")
    assert unified(session)["overallStatus"] == "failed"
    assert unified(session)["overallProgress"]["currentPhase"] == "clustering"
    assert body(session)["clustering"]["error"] == "HDBSCAN ran out of memory"
    assert body(session)["job"]["error"] == "Clustering failed: HDBSCAN ran out of memory"
    assert sessions.restart(session, what="clustering", actor=None).changed == 1
    assert shown(session) == ("pending", 0, 0, 0.0)
    assert part(session, "face_detection").done == 2
    clustering(session, "completed", clusters_created=3)
    assert unified(session)["overallStatus"] == "completed"
    assert (body(session)["clustering"]["error"], body(session)["job"]["error"]) == ("", "")


def test_it_may_fail_before_it_ran_and_needs_no_sentence() -> None:
    session = ready()
    clustering(session, "failed")
    assert body(session)["clustering"]["error"] == "unknown error"


@pytest.mark.parametrize("status", ["running", "completed"])
def test_after_a_failure_nothing_is_taken_until_it_is_restarted(status: str) -> None:
    session = ready()
    clustering(session, "failed", error="first")
    clustering(session, "failed", error="second")
    with pytest.raises(WrongState, match="only after a restart"):
        clustering(session, status, clusters_created=3)
    assert body(session)["clustering"]["error"] == "first"
    assert not ClusteringRun.objects.filter(clusters_created=3).exists()


def test_a_completed_one_cannot_fail() -> None:
    session = completed_session()
    with pytest.raises(WrongState, match="completed"):
        clustering(session, "failed", error="late")
    assert unified(session)["overallStatus"] == "completed"


@pytest.mark.parametrize("status", ["running", "completed", "failed"])
def test_behind_its_gate_and_after_a_cancel_it_takes_nothing(status: str) -> None:
    session = make_session(2)
    with pytest.raises(WrongState, match="gated"):
        clustering(session, status)
    other = ready()
    clustering(other, "running", current=1, total=5)
    operations.cancel(job_of(other), actor=None)
    before = body(other)
    with pytest.raises(WrongState, match="cancelled"):
        clustering(other, status, current=4, total=9, clusters_created=2)
    assert body(other)["clustering"] == before["clustering"]
    assert body(other)["job"]["revision"] == before["job"]["revision"]


@pytest.mark.parametrize("status", ["running", "completed", "failed"])
def test_after_a_force_complete_it_takes_nothing(status: str) -> None:
    session = ready()
    clustering(session, "running", current=1)
    operations.force_complete(job_of(session), reason="enough", actor=None)
    with pytest.raises(WrongState, match="force-completed"):
        clustering(session, status, clusters_created=2)
    assert unified(session)["phases"]["clustering"]["clustersCreated"] is None


def test_a_worker_may_finish_it_by_the_kernel_too() -> None:
    session = ready()
    tracking.finish(part(session, "clustering"), by=WORKER)
    assert unified(session)["overallStatus"] == "completed"
    assert unified(session)["phases"]["clustering"]["clustersCreated"] is None


@pytest.mark.parametrize("counted", [0, 8])
def test_a_restarted_clustering_waits_for_its_worker(counted: int) -> None:
    session = ready()
    clustering(session, "completed", current=counted, total=counted, clusters_created=5)
    sessions.restart(session, what="clustering", actor=None)
    assert shown(session) == ("pending", 0, 0, 0.0)
    assert unified(session)["phases"]["clustering"]["clustersCreated"] is None
    clustering(session, "running", current=counted + 1)
    assert unified(session)["overallStatus"] == "running"
    clustering(session, "completed", clusters_created=6)
    assert unified(session)["phases"]["clustering"]["clustersCreated"] == 6
    assert ClusteringRun.objects.filter(session=session).count() == 2


def test_a_restart_of_training_leaves_no_clusters_behind() -> None:
    session = completed_session()
    sessions.restart(session, what="training", actor=None)
    finish(session, "training", "face_detection")
    assert shown(session) == ("pending", 0, 0, 0.0)
    assert unified(session)["phases"]["clustering"]["clustersCreated"] is None


@pytest.mark.django_db(transaction=True)
def test_of_many_who_complete_it_at_once_one_does() -> None:
    with threads(4) as team:
        for _ in range(5):
            session = ready()
            team.at_once(*[partial(clustering, session, "completed", clusters_created=n + 1) for n in range(4)])
            assert unified(session)["phases"]["clustering"]["clustersCreated"] in (1, 2, 3, 4)
            assert Event.objects.filter(job=session.pk, type="clustering.completed").count() == 1


def test_what_cannot_be_written_is_told_to_nobody(
    monkeypatch: pytest.MonkeyPatch, broadcasts: list[int], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    session = ready()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    with django_capture_on_commit_callbacks(execute=True), monkeypatch.context() as broken:
        broken.setattr("jobs.change.transactions.commit_changes", fails)
        with pytest.raises(RuntimeError):
            clustering(session, "completed", clusters_created=3)
    assert (shown(session), broadcasts, ClusteringRun.objects.count()) == (("pending", 0, 0, 0.0), [], 0)
