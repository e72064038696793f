"""The global search."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import tracking
from jobs.console.search import finders
from ocr_chunks.documents import create_document
from tests.factories import WORKER, item_of, make_job, phase_of, tell

SEARCH = "/admin/search/"


def hits(account: Any, text: str) -> dict[str, list[str]]:
    """Return the labels of the results by group."""
    page = account.open(f"{SEARCH}?q={quote(text)}")
    groups = page.root.find("section", cls="hits")
    return {g.attributes["aria-label"]: [each.text for each in g.find(cls="hit-name")] for g in groups}


def test_jobs_are_found_by_the_beginning_or_a_part_of_the_name_the_number_and_the_project(lead: Any) -> None:
    job = make_job(name="Scan 2026 of the vault", items=1, done=1, project="matter-7")
    make_job(name="other", items=1)
    for text in ("Scan 2026 of the vault", "scan", "SCAN 2026", "vault", str(job.pk), "Matter-7"):
        assert hits(lead, text)["Jobs"] == ["Scan 2026 of the vault"], text


def test_documents_are_found_by_their_name_without_the_project(lead: Any) -> None:
    create_document(name="lease.pdf", page_count=30, project="matter-7", by=WORKER)
    assert hits(lead, "lease")["Documents"] == ["matter-7/lease.pdf"]
    assert "Jobs" not in hits(lead, "lease")


def test_an_item_is_found_by_its_whole_key_only(lead: Any) -> None:
    make_job(name="holds", items=2)
    assert hits(lead, "k1") == {"Items": ["k1"]}
    assert "Items" not in hits(lead, "k")


def test_an_error_leads_to_its_group(lead: Any) -> None:
    job = make_job(name="fails", items=3)
    results = [tracking.Result(f"k{n}", "failed", error=f"disk {n} is full") for n in range(2)]
    tracking.report(phase_of(job), worker="w1", results=results, by=WORKER)
    assert hits(lead, "IS FULL")["Errors"] == ["disk 1 is full"]
    page = lead.open(f"{SEARCH}?q=is%20full")
    group = lead.open(next(url for text, url in page.links().items() if text.startswith("disk 1 is full")))
    assert "2 items with this error have failed" in group.text


def test_workers_acts_and_pages_are_found(browser: Any) -> None:
    job = make_job(name="pausable", items=2)
    tracking.heartbeat(job, worker="gpu-7", by=WORKER)
    operator = browser("operator")
    assert hits(operator, "PU-7") == {"Workers": ["gpu-7"]}
    assert hits(operator, "pause paus")["Acts"] == ["Pause…", "Pause pausable…"]
    assert "Acts" not in hits(browser("viewer"), "pause")
    assert hits(operator, "endpoint")["Pages"] == ["Endpoints"]
    assert "Pages" not in hits(operator, "tokens")


def test_a_limited_account_finds_nothing_of_other_projects(browser: Any) -> None:
    job = make_job(name="secret-job", items=2, project="b")
    results = [tracking.Result("k0", "failed", error="secret error")]
    tracking.report(phase_of(job), worker="secret-worker", results=results, by=WORKER)
    tracking.heartbeat(job, worker="secret-worker", by=WORKER)
    create_document(name="secret.pdf", page_count=3, project="b", by=WORKER)
    limited, key = browser("lead", projects=["a"]), item_of(job, "k1").key
    for text in ("secret", "secret-job", str(job.pk), key, "retry secret", "b"):
        assert not {"Jobs", "Documents", "Items", "Errors", "Workers"} & set(hits(limited, text)), text
        assert "secret-job" not in limited.open(f"{SEARCH}?q=retry%20{quote(text)}").text.replace(text, "")
    assert hits(browser("lead", projects=["b"]), "secret-j") == {"Jobs": ["secret-job"]}


def test_it_needs_the_permission_to_see_jobs(browser: Any) -> None:
    browser("").open(f"{SEARCH}?q=x", status=403)
    browser("").open(f"{SEARCH}results/?q=x", status=403)


def test_the_number_of_statements_depends_neither_on_the_results_nor_on_the_text(lead: Any) -> None:
    def statements(text: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            lead.open(f"{SEARCH}results/?q={quote(text)}")
        return len(queries)

    make_job(name="many-0", items=9, failed=2)
    few = statements("many")
    for n in range(1, 12):
        make_job(name=f"many-{n}", items=3, failed=2)
    assert [statements("many"), statements("nothing of this name")] == [few, few]
    assert statements("retry many") == few + 3  # the jobs of the act


def test_only_the_newest_rows_are_searched_and_no_statement_has_a_limited_subquery(
    lead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL may read such a subquery once for each row, where its statistics know few rows."""
    for name in ("RECENT_JOBS", "RECENT_FAILURES", "RECENT_WORKERS"):
        monkeypatch.setattr(finders, name, 2)
    for number in range(3):
        job = make_job(name=f"job-sought-{number}", items=1)
        tell(phase_of(job), "k0", "failed", worker=f"worker-sought-{number}", error=f"{'abc'[number]} sought")
    with CaptureQueriesContext(connection) as queries:
        found = hits(lead, "sought")
    assert not [query["sql"] for query in queries if re.search(r"IN \(SELECT .*LIMIT", query["sql"])]
    newest = {
        "Jobs": ["job-sought-1", "job-sought-2"],
        "Errors": ["b sought", "c sought"],
        "Workers": ["worker-sought-1", "worker-sought-2"],
    }
    assert {group: sorted(names) for group, names in found.items()} == newest


@pytest.mark.parametrize("text", ["%", "_", "\\", "'\"", "\0", "9" * 30, "é" * 900, "k" * 5000])
def test_no_text_is_an_error_of_the_server(lead: Any, text: str) -> None:
    lead.open(f"{SEARCH}?q={quote(text)}")
