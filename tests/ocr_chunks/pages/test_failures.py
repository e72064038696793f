"""The failed chunks of a document: sentences, the same error together, and the buttons that retry them."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import operations
from jobs.models import Item, Job
from tests.factories import item_of
from tests.ocr_chunks.pages.papers import TIMEOUT, address, make_document, tell, tell_errors


def failures(staff: Any, job: Job) -> str:
    """The text of the section."""
    return staff.open(address(job)).section("failures")


def statuses(job: Job) -> dict[str, int]:
    """Return the number of items per status."""
    found: dict[str, int] = {}
    for status in Item.objects.filter(phase__job=job, phase__code="ocr").values_list("status", flat=True):
        found[status] = found.get(status, 0) + 1
    return found


def test_a_failure_is_a_sentence_with_its_attempt_and_its_worker(lead: Any) -> None:
    job = make_document(failed=[5])
    assert failures(lead, job).startswith(f"Errors 1 Chunk 5 (pages 101-125) failed: {TIMEOUT} attempt 0 · ocr-1")


def test_without_failures_there_is_no_section(lead: Any) -> None:
    page = lead.open(address(make_document(done=[1])))
    assert page.section("failures") == ""
    assert len(page.root.find("section", data_section="failures")) == 1


def test_a_chunk_is_retried_alone_by_its_button(lead: Any) -> None:
    job = make_document(failed=[5, 12])
    page = lead.open(address(job))
    asked = next(link for link in retries(page) if f"item={item_of(job, '4').pk}&back=" in link)
    assert "1 failed item: Chunk 5 (pages 101-125)" in lead.open(asked).text
    page = lead.confirm(asked)
    assert page.messages == [f"{job.name}: 1 retried."]
    assert page.response.redirect_chain[-1][0] == address(job)
    assert statuses(job) == {"failed": 1, "pending": 16}


def test_failures_with_the_same_error_stand_together_with_a_button_for_them(lead: Any) -> None:
    job = make_document()
    tell_errors(job, ["no text", *(f"timeout after {n} s" for n in range(12))])
    page = lead.open(address(job))
    section = page.section("failures")
    assert "12\u00d7 timeout after 11 s pattern: timeout after # s" in section
    assert section.index("timeout after 11 s") < section.index("Chunk 1 (pages 1-25) failed: no text")
    asked = page.links()["Retry these 12…"]
    assert "?signature=timeout+after+%23+s" in asked
    assert lead.confirm(asked).messages == [f"{job.name}: 12 retried."]
    assert item_of(job, "0").status == "failed"


def test_an_error_of_one_chunk_has_no_button_for_a_group(lead: Any) -> None:
    job = make_document(failed=[5])
    assert "Retry these" not in failures(lead, job)


def test_of_a_group_the_first_few_are_told_and_the_list_has_the_others(lead: Any) -> None:
    job = make_document(failed=range(1, 13))
    page = lead.open(address(job))
    assert page.section("failures").count(f"failed: {TIMEOUT}") == 5
    assert "and 7 more in the list of these chunks" in page.section("failures")
    assert len(lead.open(address(job) + page.links()["list of these chunks"]).root.find("input", name="item")) == 12


def test_of_many_errors_the_most_frequent_are_told_first_and_ten_at_most(lead: Any) -> None:
    job = make_document()
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda"]
    tell_errors(job, [*words, "omega", "omega"])
    section = failures(lead, job)
    assert section.index("omega") < section.index("alpha")
    assert "zeta" not in section
    assert "and 2 with other errors in the list of failed chunks" in section


def test_all_failed_chunks_are_retried_by_one_button(lead: Any) -> None:
    job = make_document(failed=[5, 12])
    page = lead.open(address(job))
    asked = page.root.find("section", data_section="head-acts")[0].find("a", cls="act")[0]
    assert asked.text == "Retry 2 failed…"
    assert lead.confirm(asked.attributes["href"]).messages == [f"{job.name}: 2 retried."]
    assert statuses(job) == {"pending": 17}


def retries(page: Any) -> list[str]:
    """The addresses of the buttons that retry one chunk."""
    links = page.root.find(data_section="failures")[0].find("a", cls="act")
    return [link.attributes["href"] for link in links if link.text == "Retry this one…"]


def reasons(page: Any) -> dict[str, str]:
    """The buttons of failures that are off, and why."""
    off = page.root.find(data_section="failures")[0].find("span", cls="off")
    return {node.text: node.attributes["title"] for node in off}


def test_who_may_not_retry_sees_every_button_off_with_the_reason(browser: Any) -> None:
    job = make_document(failed=[5, 12])
    found = reasons(browser("viewer").open(address(job)))
    needed = "Needs the permission “Can retry failed items”. Ask an administrator for a role that has it."
    assert found == {"Retry these 2…": needed, "Retry this one…": needed}


@pytest.mark.parametrize("end", ["cancel", "force_complete"])
def test_what_is_closed_for_good_is_not_retried(lead: Any, end: str) -> None:
    job = make_document(failed=[5])
    getattr(operations, end)(job, actor=None, reason="enough")
    assert reasons(lead.open(address(job)))["Retry this one…"] != ""


def test_a_chunk_that_was_retried_and_fails_again_is_told_with_its_new_worker(lead: Any) -> None:
    job = make_document(failed=[5])
    operations.retry(job, phase="ocr", actor=None)
    assert failures(lead, job) == ""
    tell(job, [5], "failed", error="no text", worker="ocr-2")
    assert "Chunk 5 (pages 101-125) failed: no text attempt" in failures(lead, job)
    assert "ocr-2" in failures(lead, job)
