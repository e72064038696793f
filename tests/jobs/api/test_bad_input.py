"""Bad input of every kind: a 4xx that names the field, nothing stored, never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.models import Event, Item, Job, Phase
from tests.factories import make_job
from tests.jobs.api.conftest import Api
from tests.plan import size

LONG_BLOB = {"x": "y" * (16 * 1024)}
JOB = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": " "}, "name"),
    ({"name": 7}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "b", "nmae": 1}, "nmae"),
    ({"name": "b", "project": "x" * 129}, "project"),
    ({"name": "b", "kind": "x y"}, "kind"),
    ({"name": "b", "metadata": []}, "metadata"),
    ({"name": "b", "metadata": LONG_BLOB}, "metadata"),
    ({"name": "b", "threshold": 101}, "threshold"),
    ({"name": "b", "threshold": "90"}, "threshold"),
    ({"name": "b", "threshold": True}, "threshold"),
    ({"name": "b", "reopen": 1}, "reopen"),
    ({"name": "b", "asset_types": ["image"]}, "asset_types"),
    ({"name": "b", "kind": "vision", "asset_types": ["sound"]}, "asset_types"),
    ({"name": "b", "phases": [{}]}, "phases[0].code"),
    ({"name": "b", "phases": [{"code": "a/b"}]}, "phases[0].code"),
    ({"name": "b", "phases": [{"code": "a\n"}]}, "phases[0].code"),
    ({"name": "b", "phases": [{"code": ".."}]}, "phases[0].code"),
    ({"name": "b", "phases": [{"code": "x" * 101}]}, "phases[0].code"),
    ({"name": "b", "phases": [{"code": "a"}, {"code": "a"}]}, "phases[1].code"),
    ({"name": "b", "phases": [{"code": "a", "gated": True}]}, "phases[0].gated"),
    ({"name": "b", "phases": [{"code": "a", "weight": -1}]}, "phases[0].weight"),
    ({"name": "b", "phases": [{"code": "a", "weight": 2**53 + 1}]}, "phases[0].weight"),
    ({"name": "b", "phases": [{"code": "a", "expected": 1.0}]}, "phases[0].expected"),
    ({"name": "b", "phases": [{"code": "a", "trigger": "soon"}]}, "phases[0].trigger"),
    ({"name": "b", "phases": [{"code": "a", "watermark_ttl": 0}]}, "phases[0].watermark_ttl"),
    ({"name": "b", "phases": [{"code": "a", "watermark_ttl": 31_536_001}]}, "phases[0].watermark_ttl"),
    ({"name": "b", "phases": [{"code": "a", "stage": "x" * 501}]}, "phases[0].stage"),
    ({"name": "b", "phases": [{"code": str(n)} for n in range(101)]}, "phases"),
    ({"name": "b", "items": {}}, "items"),
    ({"name": "b", "items": [{"key": ""}]}, "items[0].key"),
    ({"name": "b", "items": [{"key": "a"}, {"key": "x" * 1025}]}, "items[1].key"),
    ({"name": "b", "items": [{"key": "a", "split": "x" * 65}]}, "items[0].split"),
    ({"name": "b", "items": [{"key": "a", "label": "x" * 201}]}, "items[0].label"),
    ({"name": "b", "items": [{"key": "a", "payload": LONG_BLOB}]}, "items[0].payload"),
    ({"name": "b", "items": [{"key": "a", "state": "new"}]}, "items[0].state"),
    ({"name": "b", "items": [{"key": "k"}] * 5001}, "items"),
]
PHASE_RETRIES = [
    {"retries": -1},
    {"retries": 101},
    {"retries": 1.0},
    {"retries": "3"},
    {"retry_delay": 0},
    {"retry_delay": -5},
    {"retry_delay": 604_801},
    {"retry_delay_max": 2**53},
    {"retry_delay_max": True},
]
for bad in PHASE_RETRIES:
    JOB.append(({"name": "b", **bad}, *bad))
    JOB.append(({"name": "b", "phases": [{"code": "a", **bad}]}, f"phases[0].{next(iter(bad))}"))
FAILURES: list[tuple[dict[str, Any], str]] = [
    ({"retry": "no"}, "retry"),
    ({"retry": 0}, "retry"),
    ({"retry_after": -1}, "retry_after"),
    ({"retry_after": 604_801}, "retry_after"),
    ({"retry_after": 1.5}, "retry_after"),
    ({"log": 5}, "log"),
    ({"log": ["a"]}, "log"),
    ({"log": None}, "log"),
    ({"log": "a\0b"}, "log"),
    ({"links": {}}, "links"),
    ({"links": ["https://a.example"]}, "links[0]"),
    ({"links": [{"url": "https://a.example"}]}, "links[0].label"),
    ({"links": [{"label": "a"}]}, "links[0].url"),
    ({"links": [{"label": "", "url": "https://a.example"}]}, "links[0].label"),
    ({"links": [{"label": "a", "url": "https://a.example", "title": "b"}]}, "links[0].title"),
    ({"links": [{"label": "a", "url": f"https://a.example/{'x' * 2000}"}]}, "links[0].url"),
    ({"links": [{"label": "a", "url": "https://a.example"}] * 11}, "links"),
    *[
        ({"links": [{"label": "a", "url": "https://a.example"}, {"label": "b", "url": url}]}, "links[1].url")
        for url in ("javascript:alert(1)", "ftp://a.example", "//a.example", "a.example", "http://", "https://u@a.example",
                    "https://a.example/a b", " https://a.example", "data:text/html,x")
    ],
]  # fmt: skip
WORK = [
    *[
        ("phases/items/report", {"results": [{"key": "k0", "status": "failed", **bad}]}, f"results[0].{field}")
        for bad, field in FAILURES
    ],
    ("phases/items/items", {}, "items"),
    ("phases/items/items", {"items": [{"key": "a\0b"}]}, "items[0].key"),
    ("phases/items/claim", {}, "worker"),
    ("phases/items/claim", {"worker": ""}, "worker"),
    ("phases/items/claim", {"worker": "x" * 129}, "worker"),
    ("phases/items/claim", {"worker": "w", "limit": 0}, "limit"),
    ("phases/items/claim", {"worker": "w", "limit": 1001}, "limit"),
    ("phases/items/claim", {"worker": "w", "lease_seconds": 0}, "lease_seconds"),
    ("phases/items/claim", {"worker": "w", "lease_seconds": 31_536_001}, "lease_seconds"),
    ("phases/items/report", {}, "results"),
    ("phases/items/report", {"results": [{"key": "a"}]}, "results[0].status"),
    ("phases/items/report", {"results": [{"key": "a", "status": "done"}]}, "results[0].status"),
    ("phases/items/report", {"results": [{"status": "completed"}]}, "results[0].key"),
    ("phases/items/report", {"results": [{"key": "a", "status": "failed", "error": 5}]}, "results[0].error"),
    ("phases/items/report", {"results": [{"key": "a", "status": "failed", "attempt": -1}]}, "results[0].attempt"),
    (
        "phases/items/report",
        {"results": [{"key": "k0", "status": "completed"}, {"key": "k1", "status": "completed", "result": LONG_BLOB}]},
        "results[1].result",
    ),
    ("phases/items/report", {"results": [{"key": "a", "status": "completed"}] * 1001}, "results"),
    (
        "phases/items/report",
        {"results": [{"key": "k0", "status": "completed", "result": {"checksum": "x" * 201}}]},
        "results[0].result.checksum",
    ),
    ("phases/items/announce", {}, "expected"),
    ("phases/items/announce", {"expected": 1, "event_id": "x"}, "event_id"),
    ("phases/items/count", {"done": 1}, "event_id"),
    ("phases/items/count", {"done": -1, "event_id": "6f1c1a3e-8f0b-4b7e-9a57-0d2f4f6f2c11"}, "done"),
    ("phases/items/start", {"now": True}, "now"),
    ("phases/items/fail", {"error": ["x"]}, "error"),
    ("heartbeat", {"worker": "w", "items": ["1"]}, "items[0]"),
    ("heartbeat", {"worker": "w", "message": "x" * 2001}, "message"),
]


def snapshot() -> list[Any]:
    """Return everything that a request may change."""
    return [list(model.objects.order_by("pk").values()) for model in (Job, Phase, Item, Event)]


def fields(response: Any) -> list[str]:
    return [error["field"] for error in response.json()["errors"]]


@pytest.mark.parametrize(("body", "field"), JOB)
def test_a_wrong_field_of_a_job_is_named_and_nothing_is_stored(worker: Api, body: Any, field: str) -> None:
    response = worker.post("/jobs", body)
    assert (response.status_code, fields(response)) == (400, [field])
    assert snapshot() == [[], [], [], []]


@pytest.mark.parametrize(("path", "body", "field"), WORK)
def test_a_wrong_field_of_a_worker_is_named_and_nothing_changes(worker: Api, path: str, body: Any, field: str) -> None:
    job = make_job(items=2)
    before = snapshot()
    response = worker.post(f"/jobs/{job.pk}/{path}", body)
    assert (response.status_code, fields(response)) == (400, [field])
    assert snapshot() == before


@pytest.mark.parametrize("bad", [*PHASE_RETRIES, {"phase": "items"}], ids=str)
def test_a_wrong_field_of_new_retries_is_named_and_nothing_changes(lead: Api, bad: dict[str, Any]) -> None:
    job = make_job(items=2)
    before = snapshot()
    given, field = (
        ({"phase": "items", "retries": 1, **bad}, next(iter(bad))) if "phase" not in bad else (bad, "retries")
    )
    response = lead.post(f"/jobs/{job.pk}/retries", given)
    assert (response.status_code, fields(response)) == (400, [field])
    assert snapshot() == before


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("", 400),
        ("nonsense", 400),
        ("[]", 400),
        ('{"name": "b", "name": "c"}', 400),
        ('{"name": NaN}', 400),
        ('{"name": "\\u0000"}', 400),
        ('{"name": "\\ud800"}', 400),
        ('{"metadata": {"\\ud800": 1}, "name": "b"}', 400),
        ('{"metadata": {"n": 9007199254740993}, "name": "b"}', 400),
        ('{"metadata": ' + '{"a":' * 40 + "1" + "}" * 40 + ', "name": "b"}', 400),
        ('{"name": "' + "x" * 1_100_000 + '"}', 413),
    ],
)
def test_a_body_that_is_no_strict_json_is_refused(worker: Api, raw: str, status: int) -> None:
    response = worker.client.post("/api/v1/jobs", raw, content_type="application/json")
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert not Job.objects.exists()


def test_other_media_types_are_415(worker: Api) -> None:
    assert worker.client.post("/api/v1/jobs", "name=b", content_type="text/plain").status_code == 415


def test_the_bounds_themselves_are_accepted(worker: Api) -> None:
    body = {
        "name": "n" * 200,
        "project": "p" * 128,
        "metadata": {"x": "y" * (16 * 1024 - 8)},
        "phases": [{"code": "c" * 100, "stage": "s" * 500, "label": "l" * 200, "weight": 2**53, "watermark_ttl": 1}],
        "items": [{"key": "k" * 1024, "label": "l" * 200, "split": "s" * 64}],
    }
    assert worker.post("/jobs", body).status_code == 201


NAMES = ["name", "kind", "items", "phases", "results", "worker", "key", "status", "code", "expected", "event_id"]
WORDS = st.sampled_from([*NAMES, "items", "completed", "failed", "generic", "vision", "w1", "k0", "", "\0", "\ud800"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(WORDS, VALUES, max_size=6) | VALUES
ACTS = [
    "heartbeat",
    "retry",
    "release",
    "skip",
    "force-complete",
    "fail",
    "cancel",
    "pause",
    "resume",
    "retries",
    "threshold",
    "restart",
]
CALLS = ["announce", "items", "claim", "report", "count", "start", "finish", "fail"]
PATHS = ["jobs", "claim", *(f"jobs/{{}}/{act}" for act in ACTS), *(f"jobs/{{}}/phases/items/{act}" for act in CALLS)]


@pytest.fixture
def boss(api: Any) -> Api:
    """A client that may make every call."""
    client: Api = api("")
    client.account.is_superuser = True
    client.account.save()
    return client


@pytest.fixture
def job(db: None) -> Job:
    """A job to send bad input to."""
    return make_job(items=2)


@pytest.mark.full
@settings(max_examples=size(150, full=1000), deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(PATHS), body=BODIES)
def test_bad_input_never_causes_a_defect(boss: Api, job: Job, path: str, body: Any) -> None:
    response = boss.client.post(f"/api/v1/{path.format(job.pk)}", json.dumps(body), content_type="application/json")
    assert response.status_code < 500, response.content
