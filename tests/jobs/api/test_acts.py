"""The acts of operators over REST."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import item_of, make_job, outward, phase_of
from tests.jobs.api.conftest import Api

REASON = {"reason": "because"}


def test_failed_items_are_retried_by_their_sentence(lead: Api) -> None:
    job = make_job(items=3, failed=2)
    item = item_of(job, "k0")
    body = lead.post(f"/jobs/{job.pk}/retry", {"error_signature": item.signature, **REASON}).json()
    assert (body["changed"], body["refused"], body["job"]["phases"][0]["failed"]) == (2, [], 0)


def test_items_are_retried_by_id_and_the_unfit_are_refused_one_by_one(lead: Api) -> None:
    job = make_job(items=3, failed=1)
    failed, pending = item_of(job, "k0").pk, item_of(job, "k2").pk
    body = lead.post(f"/jobs/{job.pk}/retry", {"items": [failed, pending, 0]}).json()
    assert body["changed"] == 1
    assert [row["id"] for row in body["refused"]] == [pending, 0]


def test_an_act_with_nothing_to_do_changes_0_and_says_why(lead: Api) -> None:
    body = lead.post(f"/jobs/{make_job(items=1).pk}/retry").json()
    assert body["changed"] == 0
    assert body["detail"]


def test_release_takes_live_leases_only_when_asked(lead: Api, worker: Api) -> None:
    job = make_job(items=2)
    worker.post(f"/jobs/{job.pk}/phases/items/claim", {"worker": "w1"})
    assert lead.post(f"/jobs/{job.pk}/release", {"phase": "items"}).json()["changed"] == 0
    assert lead.post(f"/jobs/{job.pk}/release", {"all": True}).json()["changed"] == 2


def test_skipped_items_count_as_done_work(lead: Api) -> None:
    job = make_job(items=2)
    body = lead.post(f"/jobs/{job.pk}/skip", {"items": [item_of(job, "k0").pk], **REASON}).json()
    assert (body["changed"], body["job"]["percent"]) == (1, 50)


def test_force_complete_needs_a_reason_and_sends_one_event(lead: Api) -> None:
    job = make_job(items=20, done=12)
    refused = lead.post(f"/jobs/{job.pk}/force-complete", {"reason": "  "})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "reason")
    for changed in (1, 0):
        body = lead.post(f"/jobs/{job.pk}/force-complete", REASON).json()
        assert (body["changed"], body["job"]["status"], body["job"]["partial"]) == (changed, "completed", True)
    assert [event["processed_assets"] for event in outward(job, "items.completed")] == [12]


def test_pause_and_resume(lead: Api, worker: Api) -> None:
    job = make_job(items=1)
    assert lead.post(f"/jobs/{job.pk}/pause", REASON).json()["job"]["status"] == "paused"
    assert worker.post(f"/jobs/{job.pk}/phases/items/claim", {"worker": "w"}).json()["reason"] == "paused"
    assert lead.post(f"/jobs/{job.pk}/resume").json()["job"]["status"] == "pending"


def test_cancel_once_and_never_a_completed_job(lead: Api) -> None:
    job = make_job(items=1)
    assert [lead.post(f"/jobs/{job.pk}/cancel", REASON).json()["changed"] for _ in range(2)] == [1, 0]
    done = make_job(items=1, done=1)
    refused = lead.post(f"/jobs/{done.pk}/cancel", REASON).json()
    assert (refused["status"], refused["code"]) == (409, "wrong_state")
    assert "completed" in refused["detail"]
    assert "processing" in refused["detail"]


def test_fail(lead: Api) -> None:
    assert lead.post(f"/jobs/{make_job(items=1).pk}/fail", REASON).json()["job"]["status"] == "failed"


def test_a_lower_threshold_is_judged_at_once(lead: Api) -> None:
    job = make_job(items=10, done=5, trigger="at_threshold")
    body = lead.post(f"/jobs/{job.pk}/threshold", {"phase": "items", "threshold": 50, **REASON}).json()
    assert (body["changed"], body["job"]["phases"][0]["completed_by"]) == (1, "threshold")


def test_restart_begins_a_new_run(lead: Api) -> None:
    job = make_job(items=2, done=1, failed=1)
    body = lead.post(f"/jobs/{job.pk}/restart", {"phase": "items", "only": "failed", **REASON}).json()
    assert (body["changed"], body["job"]["phases"][0]["run"], body["job"]["phases"][0]["done"]) == (1, 2, 1)


@pytest.mark.parametrize(
    ("act", "body", "field"),
    [
        ("retry", {"items": ["1"]}, "items[0]"),
        ("retry", {"items": [-1]}, "items[0]"),
        ("retry", {"signature": "x"}, "signature"),
        ("release", {"all": "yes"}, "all"),
        ("skip", {}, "items"),
        ("pause", {"reason": "x" * 2001}, "reason"),
        ("pause", {"reason": None}, "reason"),
        ("threshold", {"phase": "items", "threshold": 101}, "threshold"),
        ("threshold", {"phase": "items", "threshold": 89.5}, "threshold"),
        ("threshold", {"threshold": 50}, "phase"),
        ("restart", {"phase": "items", "only": "some"}, "only"),
    ],
)
def test_a_wrong_field_of_an_act_is_named_and_nothing_changes(
    lead: Api, act: str, body: dict[str, Any], field: str
) -> None:
    job = make_job(items=2, failed=1)
    response = lead.post(f"/jobs/{job.pk}/{act}", body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert (phase_of(job).job.revision, phase_of(job).failed) == (job.revision, 1)


def test_an_unknown_phase_is_404(lead: Api) -> None:
    job = make_job(items=1)
    for act, body in (("retry", {}), ("threshold", {"threshold": 1}), ("restart", {})):
        assert lead.post(f"/jobs/{job.pk}/{act}", {"phase": "nothing", **body}).status_code == 404
