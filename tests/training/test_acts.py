"""Operators act upon sessions: restart by what is meant, everything else through the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from jobs import operations, tracking, watchdog
from jobs.operations import Act
from jobs.rules.errors import BadInput, Conflict, NotFound, NotPermitted, WrongState
from tests.factories import WORKER, operator, outcomes
from tests.training.factories import (
    add,
    body,
    clustering,
    completed_session,
    faces,
    finish,
    image,
    images,
    job_of,
    make_session,
    part,
    report,
    unified,
)
from training import sessions
from training.models import TrainingSession

pytestmark = pytest.mark.django_db
WHATS: list[Any] = ["failed", "training", "faces", "clustering"]


def restart(session: TrainingSession, what: Any, **fields: Any) -> Act:
    return sessions.restart(session, what=what, actor=fields.pop("actor", None), **fields)


def everything_failed() -> TrainingSession:
    """A completed session in which one image failed in each phase, and whose clusters are known."""
    session = make_session(images(10, 5))
    report(session, "training", ["completed"] * 9 + ["failed"])
    report(session, "face_detection", ["completed"] * 14 + ["failed"])
    faces(session, faces_detected=20)
    clustering(session, "completed", clusters_created=3)
    return session


def counts(session: TrainingSession) -> list[tuple[int, int, int, int]]:
    """(done, failed, skipped, run) of each phase."""
    phases = job_of(session).phases.order_by("position")
    return [(phase.done, phase.failed, phase.skipped, phase.run) for phase in phases]


# --- restart -----------------------------------------------------------------------------------------


def test_before_a_restart_everything_is_counted() -> None:
    assert counts(everything_failed()) == [(9, 1, 5, 1), (14, 1, 0, 1), (0, 0, 0, 1)]


@pytest.mark.parametrize(
    ("what", "changed", "left"),
    [
        ("failed", 1 + 15 + 1, [(9, 0, 5, 2), (0, 0, 0, 2), (0, 0, 0, 2)]),
        ("training", 10 + 15 + 1, [(0, 0, 5, 2), (0, 0, 0, 2), (0, 0, 0, 2)]),
        ("faces", 15 + 1, [(9, 1, 5, 1), (0, 0, 0, 2), (0, 0, 0, 2)]),
        ("clustering", 1, [(9, 1, 5, 1), (14, 1, 0, 1), (0, 0, 0, 2)]),
    ],
)
def test_a_restart_takes_its_phase_and_those_after_it(what: str, changed: int, left: list[Any]) -> None:
    session = everything_failed()
    assert restart(session, what).changed == changed
    assert counts(session) == left
    assert unified(session)["overallStatus"] in ("pending", "running")
    assert watchdog.recount() == []


def test_duplicates_stay_skipped_after_a_restart() -> None:
    session = everything_failed()
    restart(session, "training")
    assert body(session)["images"] == {"total": 15, "unique": 10, "skipped": 5}
    finish(session, "training", "face_detection")
    clustering(session, "completed", clusters_created=4)
    assert unified(session)["overallProgress"]["percentage"] == 100.0


def test_failed_means_those_of_faces_where_training_has_none() -> None:
    session = make_session(10)
    finish(session, "training")
    report(session, "face_detection", ["completed"] * 8 + ["failed"] * 2)
    assert unified(session)["overallStatus"] == "failed"
    assert restart(session, "failed").changed == 2 + 1
    assert counts(session) == [(10, 0, 0, 1), (8, 0, 0, 2), (0, 0, 0, 2)]
    finish(session, "face_detection")
    assert part(session, "face_detection").status == "completed"


def test_failed_opens_a_phase_again_that_an_operator_has_failed() -> None:
    session = make_session(4)
    report(session, "training", ["completed"])
    operations.fail(job_of(session), actor=None)
    restart(session, "failed")
    assert (part(session, "training").status, part(session, "training").done) == ("pending", 1)


@pytest.mark.parametrize("act", [operations.fail, operations.cancel])
def test_failed_opens_face_detection_again_where_training_is_over(act: Callable[..., Act]) -> None:
    session = make_session(4)
    finish(session, "training")
    report(session, "face_detection", ["completed"])
    act(job_of(session), actor=None)
    restart(session, "failed")
    assert [part(session, code).run for code in ("training", "face_detection")] == [1, 2]
    assert (part(session, "face_detection").status, part(session, "face_detection").done) == ("pending", 1)


@pytest.mark.parametrize("what", WHATS)
def test_a_session_that_nobody_has_begun_has_nothing_to_restart(what: str) -> None:
    session = make_session(2)
    revision = job_of(session).revision
    act = restart(session, what)
    assert (act.changed, "nothing to restart" in act.detail) == (0, True)
    assert job_of(session).revision == revision


def test_without_failures_there_are_none_to_restart() -> None:
    act = restart(completed_session(), "failed")
    assert (act.changed, act.detail) == (0, "Phase training has nothing to restart.")


@pytest.mark.parametrize("what", WHATS)
def test_a_restart_needs_its_permission(what: str) -> None:
    session = everything_failed()
    before = counts(session)
    with pytest.raises(NotPermitted, match=r"jobs\.restart_job"):
        restart(session, what, actor=operator("retry", "report", "view"))
    assert counts(session) == before
    assert restart(session, what, actor=operator("restart")).changed > 0


@pytest.mark.parametrize("what", WHATS)
def test_a_restart_writes_down_who_and_why(what: str) -> None:
    session, lead = everything_failed(), operator("restart")
    restart(session, what, actor=lead, reason="other faces")
    [event] = job_of(session).events.filter(type="operator.restart")
    assert (event.account, event.reason) == (lead, "other faces")
    entry = LogEntry.objects.get()
    assert (entry.user_id, entry.object_id, "other faces" in entry.change_message) == (lead.pk, str(session.pk), True)


def test_a_restart_of_what_has_changed_since_or_is_out_of_sight_is_refused() -> None:
    session = everything_failed()
    with pytest.raises(Conflict):
        restart(session, "faces", revision=1)
    with pytest.raises(NotFound):
        restart(session, "faces", actor=operator("restart", projects=["other"]))
    with pytest.raises(BadInput):
        restart(session, "faces", reason="x" * 2001)


def test_a_restart_tells_browsers_once_and_only_where_it_happened(
    broadcasts: list[int], django_capture_on_commit_callbacks: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = everything_failed()
    with django_capture_on_commit_callbacks(execute=True):
        restart(session, "faces")
    assert broadcasts == [session.pk]

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    before = counts(session)
    monkeypatch.setattr("jobs.change.transactions.commit_changes", fails)
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(RuntimeError):
        restart(session, "training")
    assert (counts(session), broadcasts) == (before, [session.pk])


# --- pause, resume, cancel ---------------------------------------------------------------------------


def test_while_paused_nothing_is_claimed_and_what_is_held_may_be_reported() -> None:
    session = make_session(3)
    tracking.claim(part(session, "training"), worker="w1", limit=1, by=WORKER)
    operations.pause(job_of(session), actor=None)
    assert tracking.claim(part(session, "training"), worker="w1", by=WORKER).reason == "paused"
    assert outcomes(report(session, "training", ["completed"])) == ["applied"]
    assert add(session, image("new.jpg")).added == 1
    operations.resume(job_of(session), actor=None)
    finish(session, "training")
    assert part(session, "training").done == 4


@pytest.mark.parametrize("code", ["training", "face_detection"])
def test_after_a_cancel_late_reports_change_nothing(code: str) -> None:
    session = make_session(4)
    if code == "face_detection":
        finish(session, "training")
    report(session, code, ["completed", "processing"])
    operations.cancel(job_of(session), actor=None)
    before = body(session)
    assert outcomes(report(session, code, ["completed"] * 3, start=1)) == ["closed"] * 3
    with pytest.raises(WrongState):
        faces(session, faces_detected=9)
    with pytest.raises(WrongState):
        clustering(session, "completed", clusters_created=9)
    after = body(session)
    assert after["job"]["phases"] == before["job"]["phases"]
    assert (after["images"], after["faces"], after["clustering"]) == (
        before["images"], before["faces"], before["clustering"],
    )  # fmt: skip
    assert unified(session)["overallStatus"] == "cancelled"


def test_a_cancelled_session_goes_on_after_a_restart_of_what_failed() -> None:
    session = make_session(4)
    report(session, "training", ["completed", "failed"])
    operations.cancel(job_of(session), actor=None)
    restart(session, "failed")
    assert (unified(session)["overallStatus"], part(session, "training").done) == ("pending", 1)
    finish(session, "training")
    assert part(session, "training").status == "completed"


def test_failed_images_are_retried_by_the_kernel_in_the_same_run() -> None:
    session = make_session(3)
    report(session, "training", ["completed", "failed", "failed"])
    assert unified(session)["overallStatus"] == "failed"
    assert operations.retry(job_of(session), actor=None).changed == 2
    finish(session, "training")
    assert counts(session)[0] == (3, 0, 0, 1)
