"""The doors of documents: what they take, what they answer, and who may knock."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from jobs import operations
from jobs.models import Job
from ocr_chunks.models import Chunk, Document
from tests.factories import make_job
from tests.jobs.api.conftest import Api
from tests.ocr_chunks.factories import chunk, in_state, job_of, make_document, ocr, take

pytestmark = pytest.mark.django_db

NEW = {"name": "contract-4711.pdf", "page_count": 422, "project": "matter-789"}


def names(api: Api, query: str = "") -> list[str]:
    """The names of the documents of a list."""
    return [row["name"] for row in api.get(f"/documents{query}").json()["results"]]


def test_a_document_takes_no_other_items(worker: Api) -> None:
    document = make_document()
    for code in ("ocr", "merge"):
        response = worker.post(f"/jobs/{document.pk}/phases/{code}/items", {"items": [{"key": "odd"}]})
        assert (response.status_code, response.json()["code"]) == (409, "wrong_state")
    assert document.job.phases.get(code="ocr").items_total == 17


# --- creating ----------------------------------------------------------------------------------------


def test_a_document_is_created_with_its_chunks(worker: Api) -> None:
    response = worker.post("/documents", NEW)
    made = response.json()
    assert (response.status_code, response["Location"]) == (201, f"/api/v1/documents/{made['id']}")
    assert (made["project"], made["name"], made["page_count"], made["pages_per_chunk"]) == (
        "matter-789",
        "contract-4711.pdf",
        422,
        25,
    )
    assert made["id"] == made["job"]["id"]
    assert (made["job"]["name"], made["job"]["kind"]) == ("matter-789/contract-4711.pdf", "ocr")
    assert made == worker.get(f"/documents/{made['id']}").json()
    assert [made["chunks"][index]["page_end"] for index in (0, 16)] == [25, 422]


def test_creating_again_answers_the_existing_document(worker: Api) -> None:
    first = worker.post("/documents", NEW)
    again = worker.post("/documents", {**NEW, "pages_per_chunk": 50})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert (again.json()["pages_per_chunk"], len(again.json()["chunks"])) == (25, 17)


def test_ranges_of_ones_own_are_taken(worker: Api) -> None:
    ranges = [{"page_start": 1, "page_end": 3}, {"page_start": 4, "page_end": 30}]
    made = worker.post("/documents", {"name": "a.pdf", "page_count": 30, "chunks": ranges}).json()
    shown = [{"page_start": row["page_start"], "page_end": row["page_end"]} for row in made["chunks"]]
    assert (shown, made["pages_per_chunk"], made["job"]["name"]) == (ranges, None, "a.pdf")


def test_what_contradicts_a_document_is_a_conflict_with_its_code(worker: Api) -> None:
    worker.post("/documents", NEW)
    make_job(name="m/taken.pdf")
    differs = worker.post("/documents", {**NEW, "page_count": 421})
    taken = worker.post("/documents", {"name": "taken.pdf", "project": "m", "page_count": 1})
    assert [(one.status_code, one.json()["code"]) for one in (differs, taken)] == [
        (409, "document_differs"),
        (409, "name_taken"),
    ]


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "invalid"),
    ({"name": "x" * 201}, "name", "invalid"),
    ({"name": "x" * 195}, "name", "invalid"),
    ({"name": None}, "name", "invalid"),
    ({"name": "a\0.pdf"}, "name", "invalid"),
    ({"page_count": 0}, "page_count", "invalid"),
    ({"page_count": -5}, "page_count", "invalid"),
    ({"page_count": 3.5}, "page_count", "invalid"),
    ({"page_count": "ten"}, "page_count", "invalid"),
    ({"page_count": True}, "page_count", "invalid"),
    ({"page_count": 2**53 + 1}, "page_count", "invalid"),
    ({"pages_per_chunk": 0}, "pages_per_chunk", "invalid"),
    ({"pages_per_chunk": "25"}, "pages_per_chunk", "invalid"),
    ({"page_count": 125_001}, "pages_per_chunk", "invalid_page_range"),
    ({"project": "p" * 129}, "project", "invalid"),
    ({"pages": 3}, "pages", "invalid"),
    ({"chunks": []}, "chunks", "invalid_page_range"),
    ({"chunks": {}}, "chunks", "invalid"),
    ({"chunks": [{"page_start": 1}]}, "chunks[0].page_end", "invalid"),
    ({"chunks": [{"page_start": 30, "page_end": 25}]}, "chunks[0].page_end", "invalid_page_range"),
    ({"chunks": [{"page_start": 0, "page_end": 422}]}, "chunks[0].page_start", "invalid_page_range"),
    ({"chunks": [{"page_start": -1, "page_end": 422}]}, "chunks[0].page_start", "invalid_page_range"),
    ({"chunks": [{"page_start": 1, "page_end": 421}]}, "chunks[0].page_end", "invalid_page_range"),
    ({"chunks": [{"page_start": 1, "page_end": 423}]}, "chunks[0].page_end", "invalid_page_range"),
    ({"chunks": [{"page_start": n, "page_end": n} for n in range(1, 5002)]}, "chunks", "invalid"),
]


@pytest.mark.parametrize(("fields", "field", "code"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_names_the_field_and_stores_nothing(
    worker: Api, fields: dict[str, Any], field: str, code: str
) -> None:
    response = worker.post("/documents", {**NEW, **fields})
    problem = response.json()
    assert (response.status_code, [one["field"] for one in problem["errors"]], problem["code"]) == (400, [field], code)
    assert (Job.objects.count(), Document.objects.count()) == (0, 0)


def test_name_and_page_count_are_required(worker: Api) -> None:
    assert [error["field"] for error in worker.post("/documents", {}).json()["errors"]] == ["name"]
    assert [error["field"] for error in worker.post("/documents", {"name": "a"}).json()["errors"]] == ["page_count"]


def test_a_job_of_kind_ocr_is_created_as_a_document(worker: Api) -> None:
    response = worker.post("/jobs", {"name": "a.pdf", "kind": "ocr"})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "kind")
    assert "/api/v1/documents" in response.json()["errors"][0]["detail"]
    assert not Job.objects.exists()


# --- looking -----------------------------------------------------------------------------------------


def test_a_list_has_the_newest_first_and_leaves_the_chunks_out(worker: Api) -> None:
    made = [make_document(2).name for _ in range(3)]
    make_job(name="no document")
    assert names(worker) == made[::-1]
    [row, *_] = worker.get("/documents").json()["results"]
    whole = worker.get(f"/documents/{row['id']}").json()
    assert row == {name: value for name, value in whole.items() if name != "chunks"}


def test_a_list_comes_in_pages(worker: Api) -> None:
    made = [make_document(1).name for _ in range(5)]
    seen: list[str] = []
    page = worker.get("/documents?limit=2").json()
    while page["next"]:
        seen += [row["name"] for row in page["results"]]
        page = worker.get(page["next"].partition("/api/v1")[2]).json()
    assert [*seen, *(row["name"] for row in page["results"])] == made[::-1]


def test_a_list_is_narrowed_by_project_and_status(worker: Api) -> None:
    make_document(1, name="a", project="m")
    in_state(1, done=1, name="b", project="m")
    make_document(1, name="c")
    assert names(worker, "?project=m") == ["b", "a"]
    assert names(worker, "?status=processing") == ["b"]
    assert names(worker, "?status=pending&project=m") == ["a"]
    assert names(worker, "?project=") == ["c", "b", "a"]


@pytest.mark.parametrize("query", ["status=open", "limit=0", "limit=201", "page=2", "cursor=x", "project=a&project=b"])
def test_a_wrong_query_is_refused_by_its_name(worker: Api, query: str) -> None:
    response = worker.get(f"/documents?{query}")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, query.partition("=")[0])


@pytest.mark.parametrize("address", ["/documents/99", "/documents/9007199254740993", f"/documents/{'9' * 30}"])
def test_an_unknown_document_is_not_found(lead: Api, address: str) -> None:
    assert lead.get(address).status_code == 404
    assert lead.post(f"{address}/retry").status_code == 404


def test_a_job_of_another_kind_is_no_document(worker: Api) -> None:
    assert worker.get(f"/documents/{make_job(items=1).pk}").status_code == 404


def test_a_worker_claims_and_reports_chunks_by_the_common_doors(worker: Api) -> None:
    made = worker.post("/documents", {**NEW, "page_count": 20}).json()
    [item] = worker.post("/claim", {"worker": "w1", "phase": "ocr", "kind": "ocr"}).json()["items"]
    assert (item["job"], item["phase"], item["key"], item["label"]) == (made["id"], "ocr", "0", "Chunk 1 (pages 1-20)")
    assert item["payload"] == {"chunk_index": 0, "page_start": 1, "page_end": 20, "document": made["id"]}
    result = {"key": "0", "status": "completed", "attempt": 1, "result": {"checksum": "c0ffee", "path": "a/0.txt"}}
    worker.post(f"/jobs/{made['id']}/phases/ocr/report", {"worker": "w1", "results": [result]})
    [row] = worker.get(f"/documents/{made['id']}").json()["chunks"]
    assert (row["id"], row["status"], row["result_checksum"], row["result_path"]) == (
        item["id"],
        "completed",
        "c0ffee",
        "a/0.txt",
    )
    [merge] = worker.post("/claim", {"worker": "w1", "phase": "merge", "kind": "ocr"}).json()["items"]
    wrong = {"key": merge["key"], "status": "completed", "result": {"chunks": [{"chunk_index": 0, "checksum": "x"}]}}
    answer = worker.post(f"/jobs/{made['id']}/phases/merge/report", {"worker": "w1", "results": [wrong]}).json()
    assert answer["results"][0]["outcome"] == "invalid"
    assert answer["results"][0]["detail"].startswith("checksum_mismatch")


# --- retrying ----------------------------------------------------------------------------------------


def test_failed_chunks_are_retried_and_the_answer_is_that_of_every_act(lead: Api) -> None:
    document = in_state(4, done=1, failed=2)
    answer = lead.post(f"/documents/{document.pk}/retry", {"chunks": [0, 1], "reason": "It is back."}).json()
    assert (answer["changed"], answer["detail"]) == (1, "1 failed chunk is pending again.")
    assert answer["refused"] == [{"id": chunk(document, 0).pk, "detail": "is completed; it cannot be retried."}]
    assert (answer["job"]["id"], answer["job"]["phases"][0]["failed"]) == (document.pk, 1)
    assert (
        lead.post(f"/documents/{document.pk}/retry", {"error_signature": "Document AI timeout"}).json()["changed"] == 1
    )
    assert lead.post(f"/documents/{document.pk}/retry").json() | {"job": None} == {
        "changed": 0,
        "refused": [],
        "detail": "There are no failed chunks to retry.",
        "job": None,
    }


def test_an_unknown_chunk_is_not_found(lead: Api) -> None:
    document = in_state(4, failed=1)
    response = lead.post(f"/documents/{document.pk}/retry", {"chunks": [0, 4]})
    assert (response.status_code, ocr(document).failed) == (404, 1)


def test_a_cancelled_document_refuses_a_retry(lead: Api) -> None:
    document = in_state(4, failed=1)
    operations.cancel(job_of(document), actor=None)
    response = lead.post(f"/documents/{document.pk}/retry")
    assert (response.status_code, response.json()["code"]) == (409, "wrong_state")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"chunks": ["1"]}, "chunks[0]"),
        ({"chunks": [-1]}, "chunks[0]"),
        ({"chunks": 1}, "chunks"),
        ({"reason": "x" * 2001}, "reason"),
        ({"phase": "ocr"}, "phase"),
        ({"error_signature": "x" * 501}, "error_signature"),
    ],
)
def test_a_bad_retry_names_the_field(lead: Api, body: dict[str, Any], field: str) -> None:
    response = lead.post(f"/documents/{in_state(2, failed=1).pk}/retry", body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)


# --- who may what ------------------------------------------------------------------------------------


def doors(document: Document) -> list[tuple[str, str, Any]]:
    """(method, address, body) of every door."""
    own = f"/documents/{document.pk}"
    return [("get", "/documents", None), ("post", "/documents", NEW), ("get", own, None), ("post", f"{own}/retry", {})]


def test_nobody_is_answered_without_a_token() -> None:
    for method, path, body in doors(make_document(1)):
        response = getattr(APIClient(), method)(f"/api/v1{path}", body, format="json")
        assert (response.status_code, response["Content-Type"]) == (401, "application/problem+json"), path


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        ("", [403, 403, 403, 403]),
        ("viewer", [200, 403, 200, 403]),
        ("worker", [200, 201, 200, 403]),
        ("operator", [200, 403, 200, 200]),
        ("lead", [200, 403, 200, 200]),
    ],
)
def test_each_role_may_what_it_may_and_nothing_else(api: Any, role: str, statuses: list[int]) -> None:
    client: Api = api(role)
    answers = [
        client.get(path) if method == "get" else client.post(path, body)
        for method, path, body in doors(in_state(2, failed=1))
    ]
    assert [answer.status_code for answer in answers] == statuses
    assert all("jobs." in answer.json()["detail"] for answer in answers if answer.status_code == 403)


def test_documents_of_other_projects_are_out_of_sight(api: Any) -> None:
    hidden, shown = make_document(1, name="a", project="m"), make_document(1, name="b", project="n")
    worker, operator = api("worker", projects=["n"]), api("operator", projects=["n"])
    assert names(worker) == ["b"]
    assert [worker.get(f"/documents/{document.pk}").status_code for document in (hidden, shown)] == [404, 200]
    assert operator.post(f"/documents/{hidden.pk}/retry").status_code == 404
    assert worker.post("/claim", {"worker": "w1", "phase": "ocr", "limit": 9}).json()["items"][0]["job"] == shown.pk


def test_a_document_is_created_only_within_the_projects_of_the_account(api: Any) -> None:
    make_document(1, name="a", project="m")
    worker = api("worker", projects=["n"])
    answers = [worker.post("/documents", {"name": name, "project": "m", "page_count": 22}) for name in ("new", "a")]
    assert [answer.status_code for answer in answers] == [403, 409]
    assert (answers[1].json()["code"], "page" in answers[1].json()["detail"]) == ("name_taken", False)
    assert Chunk.objects.count() == 1


def test_a_held_chunk_shows_its_worker(worker: Api) -> None:
    document = make_document(2)
    take(ocr(document), worker="gpu-7")
    shown = worker.get(f"/documents/{document.pk}").json()
    assert [row["worker"] for row in shown["chunks"]] == ["gpu-7", ""]
    assert shown["chunk_processing"]["current_page_range"] == {"start": 1, "end": 25}


def test_a_document_has_the_options_of_every_job(worker: Api) -> None:
    options = {"priority": 7, "due_at": "2030-01-01T00:00:00Z", "retries": 2, "retry_delay": 5, "silent_after": 99}
    job = worker.post("/documents", {**NEW, **options}).json()["job"]
    assert {name: job[name] for name in ("priority", "due_at")} == {"priority": 7, "due_at": "2030-01-01T00:00:00Z"}
    made = Job.objects.get(pk=job["id"])
    assert (made.silent_after, [phase.retries for phase in made.phases.all()]) == (99, [2, 2])
    wrong = worker.post("/documents", {**NEW, "name": "other.pdf", "expected_seconds": 9, "due_at": options["due_at"]})
    assert (wrong.status_code, "due_at" in str(wrong.json()["errors"])) == (400, True)
    assert not Document.objects.filter(name="other.pdf").exists()
