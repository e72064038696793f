"""Jobs over REST: create, list, show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from jobs.models import Job, Phase
from tests.factories import make_job, settle
from tests.jobs.api.conftest import Api

JOB_KEYS = [
    "id",
    "name",
    "kind",
    "project",
    "status",
    "partial",
    "reworking",
    "stuck",
    "late",
    "due_at",
    "expected_seconds",
    "priority",
    "stage",
    "percent",
    "settled_percent",
    "revision",
    "error",
    "metadata",
    "rate_per_minute",
    "eta_seconds",
    "heartbeat_at",
    "created_at",
    "started_at",
    "finished_at",
    "phases",
]
PHASE_KEYS = [
    "code",
    "asset_type",
    "label",
    "position",
    "weight",
    "run",
    "status",
    "expected",
    "done",
    "failed",
    "skipped",
    "processing",
    "pending",
    "percent",
    "settled_percent",
    "threshold",
    "needed",
    "partial",
    "reworking",
    "over_delivered",
    "trigger",
    "on_shortfall",
    "gated",
    "max_leased",
    "deadline_at",
    "rate_per_minute",
    "eta_seconds",
    "current",
    "started_at",
    "completed_at",
    "completed_by",
    "retries",
    "retry_delay",
    "retry_delay_max",
    "waiting",
    "next_retry_at",
]


def names(api: Api, path: str) -> list[str]:
    return [job["name"] for job in api.get(path).json()["results"]]


def test_a_new_job_is_answered_with_201_its_body_and_its_address(worker: Api) -> None:
    response = worker.post("/jobs", {"name": "batch_001", "items": [{"key": "a.jpg", "split": "train"}]})
    body = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/jobs/{body['id']}"
    assert (list(body), list(body["phases"][0])) == (JOB_KEYS, PHASE_KEYS)
    assert (body["status"], body["stage"], body["percent"]) == ("pending", "Processing 0/1", 0)


def test_the_same_name_again_is_answered_with_200_and_only_new_items_are_added(worker: Api) -> None:
    first = worker.post("/jobs", {"name": "b", "items": [{"key": "a"}], "metadata": {"a": 1}})
    again = worker.post("/jobs", {"name": "b", "items": [{"key": "a"}, {"key": "b"}], "metadata": {"b": 2}})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert again.json()["phases"][0]["expected"] == 2
    assert again.json()["metadata"] == {"a": 1}
    assert Job.objects.count() == 1


def test_another_kind_under_the_same_name_is_409_name_taken(worker: Api) -> None:
    worker.post("/jobs", {"name": "b"})
    response = worker.post("/jobs", {"name": "b", "kind": "vision"})
    assert (response.status_code, response.json()["code"]) == (409, "name_taken")


def test_a_vision_job_has_the_phases_of_its_asset_types(worker: Api) -> None:
    body = worker.post("/jobs", {"name": "v", "kind": "vision", "asset_types": ["video"]}).json()
    assert [phase["code"] for phase in body["phases"]] == ["video.segmentation", "video.embeddings", "video.keypoints"]
    assert {phase["threshold"] for phase in body["phases"]} == {90}


@pytest.mark.parametrize("kind", ["ocr", "training", "nonsense"])
def test_a_kind_that_cannot_be_made_here_is_refused_by_name(worker: Api, kind: str) -> None:
    response = worker.post("/jobs", {"name": "b", "kind": kind})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "kind")


def test_a_kind_with_an_endpoint_of_its_own_names_it(worker: Api) -> None:
    response = worker.post("/jobs", {"name": "b", "kind": "training"})
    assert "POST /api/v1/training" in response.json()["errors"][0]["detail"]
    assert not Job.objects.exists()


def test_every_field_of_a_phase_is_taken(worker: Api) -> None:
    phase = {
        "code": "p.1",
        "asset_type": "image",
        "weight": 7,
        "expected": 3,
        "threshold": 50,
        "trigger": "at_threshold",
        "on_shortfall": "fail",
        "label": "Working",
    }
    unseen = {"watermark_ttl": 60, "stage": "Working {done}", "silent_after": 5, "stalled_after": 31_536_000}
    body = worker.post("/jobs", {"name": "b", "phases": [{**phase, **unseen}]}).json()["phases"][0]
    assert {name: body[name] for name in phase} == phase
    assert Phase.objects.values(*unseen).get() == unseen


def test_the_revision_is_the_etag_and_an_unchanged_job_is_304(worker: Api) -> None:
    job = make_job(items=2)
    first = worker.get(f"/jobs/{job.pk}")
    etag = first.headers["ETag"]
    assert etag == f'"{first.json()["revision"]}"'
    assert worker.get(f"/jobs/{job.pk}", **{"If-None-Match": f"W/{etag}"}).status_code == 304
    settle(job.phases.get(), ["completed"])
    assert worker.get(f"/jobs/{job.pk}", **{"If-None-Match": etag}).status_code == 200


def test_an_unknown_job_is_404(worker: Api) -> None:
    for number in (0, 12345, 2**63, 10**30):
        assert worker.get(f"/jobs/{number}").status_code == 404


def test_an_unknown_query_parameter_is_400_in_every_read(worker: Api) -> None:
    job = make_job(items=1)
    for path in ("", "/timeline", "/progress", "/errors", "/diagnosis", "/phases/items/items"):
        assert worker.get(f"/jobs/{job.pk}{path}?colour=red").json()["errors"][0]["field"] == "colour", path


def test_times_are_rfc_3339_in_utc(worker: Api) -> None:
    created = worker.get(f"/jobs/{make_job().pk}").json()["created_at"]
    assert created.endswith("Z")
    assert datetime.fromisoformat(created).tzinfo == UTC


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=completed", ["done"]),
        ("status=", ["red_open", "failing", "done"]),
        ("kind=vision", []),
        ("project=red", ["red_open"]),
        ("stuck=true", ["failing"]),
        ("stuck=false", ["red_open", "done"]),
        ("late=true", ["red_open"]),
        ("late=false", ["failing", "done"]),
        ("partial=true", ["done"]),
        ("partial=false", ["red_open", "failing"]),
        ("name=done", ["done"]),
        ("q=OPEN", ["red_open"]),
        ("q=%25", []),
        ("status=completed&partial=false", []),
    ],
)
def test_the_list_is_filtered(worker: Api, query: str, expected: list[str]) -> None:
    make_job(name="done", items=2, done=1, failed=1)
    make_job(name="failing", items=2, failed=1)
    make_job(name="red_open", items=1, project="red")
    Job.objects.filter(name="failing").update(stuck="silent")
    Job.objects.filter(name="red_open").update(late=True)
    assert sorted(names(worker, f"/jobs?{query}")) == sorted(expected)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=running", "status"),
        ("stuck=maybe", "stuck"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=201", "limit"),
        ("limit=1000000000", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("ordering=percent", "ordering"),
        ("colour=red", "colour"),
        ("name=a&name=b", "name"),
        ("q=%00", "q"),
    ],
)
def test_a_wrong_query_value_is_400_and_named(worker: Api, query: str, field: str) -> None:
    response = worker.get(f"/jobs?{query}")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize("ordering", ["-updated_at", "updated_at", "-created_at", "created_at", "name", "-name"])
def test_pages_follow_each_other_without_gap_or_repetition(worker: Api, ordering: str) -> None:
    made = [make_job(name=f"job-{number}").name for number in range(5)]
    Job.objects.filter(name__in=made[1:4]).update(updated_at=Job.objects.get(name=made[0]).updated_at)
    path, seen = f"/jobs?limit=2&ordering={ordering}", []
    while path:
        page = worker.get(path).json()
        seen += [job["name"] for job in page["results"]]
        following = urlsplit(page["next"]) if page["next"] else None
        path = f"{following.path.removeprefix('/api/v1')}?{following.query}" if following else ""
    assert sorted(seen) == made
    assert seen == names(worker, f"/jobs?ordering={ordering}")


def test_the_timeline_is_newest_first_with_who_and_what(worker: Api) -> None:
    job = make_job(items=1, done=1)
    rows = worker.get(f"/jobs/{job.pk}/timeline").json()["results"]
    assert [row["type"] for row in rows][::-1] == ["job.created", "items.started", "items.completed", "job.completed"]
    assert [row["outward"] for row in rows][::-1] == [False, False, True, True]
    assert {row["actor"] for row in rows} == {"w1"}
    assert worker.get(f"/jobs/{job.pk}/timeline?limit=1").json()["next"]


def progress(api: Api, job: Job, query: str = "") -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"/jobs/{job.pk}/progress{query}").json()
    return body


def test_progress_counts_live_and_by_split(worker: Api) -> None:
    job = make_job(items=4, done=1, failed=1)
    job.phases.get().items.filter(key__in=["k0", "k1"]).update(split="train")
    assert progress(worker, job) == {
        "total": 4,
        "processed": 1,
        "error": 1,
        "skipped": 0,
        "pending": 2,
        "processing": 0,
        "percent": 25,
        "by_split": {"": {"pending": 2}, "train": {"completed": 1, "failed": 1}},
    }
    assert progress(worker, job, "?phase=items") == progress(worker, job)
    assert worker.get(f"/jobs/{job.pk}/progress?phase=nothing").status_code == 404


def test_items_in_work_are_processing_and_none_pending(worker: Api) -> None:
    job = make_job(items=4)
    worker.post(f"/jobs/{job.pk}/phases/items/claim", {"worker": "w"})
    counts = progress(worker, job)
    assert (counts["pending"], counts["processing"]) == (0, 4)


def test_failures_are_grouped_by_their_sentence_without_its_numbers(worker: Api) -> None:
    job = make_job(items=4)
    results = [{"key": f"k{n}", "status": "failed", "error": f"Timeout after {n} s"} for n in range(3)]
    results.append({"key": "k3", "status": "failed", "error": "Disk full"})
    worker.post(f"/jobs/{job.pk}/phases/items/report", {"worker": "w7", "results": results})
    groups = worker.get(f"/jobs/{job.pk}/errors").json()
    assert [(group["signature"], group["count"]) for group in groups] == [("Timeout after # s", 3), ("Disk full", 1)]
    assert (groups[0]["sample"], groups[0]["workers"]) == ("Timeout after 2 s", ["w7"])


def test_the_diagnosis_says_why_and_what_would_help(worker: Api) -> None:
    job = make_job(items=10, done=4, failed=2, threshold=90, trigger="at_threshold")
    body = worker.get(f"/jobs/{job.pk}/diagnosis").json()
    assert body["verdict"] == (
        "It is running, but it will complete only partially: too many items have failed for its threshold."
    )
    assert {"code": "short", "detail": "Needs 9, has 4; 4 open."} in body["causes"]
    threshold = {
        "action": "threshold",
        "detail": "Lower the threshold to 40 %",
        "outcome": "Completes at once with 6 missing.",
    }
    assert threshold in body["remedies"]
