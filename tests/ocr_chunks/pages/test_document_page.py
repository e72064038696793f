"""The page of one document: its head, its grid of chunks, its merge."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import operations
from jobs.models import Item, Job
from tests.factories import make_job, phase_of
from tests.jobs.pages.page_parser import Page
from tests.ocr_chunks.pages.papers import address, make_document, tell, tell_merge

TEN = range(1, 11)
ALL = range(1, 18)


def cells(page: Any) -> list[Any]:
    """The cells of the grid."""
    return page.root.find("a", cls="cell")


# --- head ----------------------------------------------------------------------------------------------


def test_the_head_says_pages_chunks_project_and_leads_to_the_documents_of_the_project(lead: Any) -> None:
    job = make_document(project="matter-789")
    page = lead.open(address(job))
    assert "OCR · project matter-789 · 422 pages · 17 chunks of 25 pages · created" in page.section("head")
    assert page.links()["matter-789"] == "/admin/ocr_chunks/document/?status=all&project=matter-789"


def test_the_sentence_says_percent_chunks_and_failures(lead: Any) -> None:
    job = make_document(done=TEN, failed=[11], held=[12])
    head = lead.open(address(job)).section("head")
    assert "10 of 17 chunks, 1 failed" in head
    assert "Processing chunk 10/17 · 1 failed" in head
    assert "Chunk 11 (pages 251-275) failed: Document AI timeout" not in head


def test_the_current_chunk_is_the_first_that_is_held(lead: Any) -> None:
    job = make_document(done=TEN, held=[14, 12])
    assert "current: Chunk 12 (pages 276-300), ocr-1" in lead.open(address(job)).section("head")


def test_else_it_is_the_last_that_was_settled(lead: Any) -> None:
    job = make_document(done=[3])
    tell(job, [1], "completed")
    assert "last: Chunk 1 (pages 1-25)" in lead.open(address(job)).section("head")


def test_before_anything_happened_no_chunk_is_current(lead: Any) -> None:
    head = lead.open(address(make_document())).section("head")
    assert "0 of 17 chunks, 0 failed merged when every chunk is done" in head
    assert "current:" not in head
    assert "last:" not in head


def test_when_every_chunk_is_done_none_is_current(lead: Any) -> None:
    head = lead.open(address(make_document(done=ALL))).section("head")
    assert "last:" not in head
    assert "merged when" not in head


# --- grid ----------------------------------------------------------------------------------------------


def test_every_chunk_has_a_card_with_icon_number_and_pages(lead: Any) -> None:
    job = make_document(done=[1], failed=[5], held=[6])
    page = lead.open(address(job))
    assert page.root.find("ol", cls="cards")
    assert [cell.text for cell in cells(page)[:2]] == ["1 1-25", "2 26-50"]
    assert [cell.attributes["class"] for cell in (cells(page)[n] for n in (0, 1, 4, 5))] == [
        "cell completed",
        "cell pending",
        "cell failed",
        "cell running",
    ]
    assert [use.attributes["href"] for use in cells(page)[4].find("use")] == ["#i-failed"]


def test_a_cell_is_called_by_its_state_its_number_and_its_pages(lead: Any) -> None:
    job = make_document(pages=401, done=[1], failed=[5], held=[6])
    tell(job, [7], "skipped")
    page = lead.open(address(job))
    names = [cell.attributes["aria-label"] for cell in cells(page)]
    assert cells(page)[4].attributes["title"] == "Failed, chunk 5, pages 101 to 125: Document AI timeout"
    assert names[0] == "Completed, chunk 1, pages 1 to 25"
    assert names[4:8] == [
        "Failed, chunk 5, pages 101 to 125",
        "Running, chunk 6, pages 126 to 150",
        "Skipped, chunk 7, pages 151 to 175",
        "Pending, chunk 8, pages 176 to 200",
    ]
    assert names[16] == "Pending, chunk 17, page 401"


def test_only_the_first_cell_is_a_tab_stop(lead: Any) -> None:
    found = [cell.attributes.get("tabindex") for cell in cells(lead.open(address(make_document())))]
    assert found == ["0"] + ["-1"] * 16


def test_a_cell_leads_to_its_item(lead: Any) -> None:
    job = make_document()
    first = cells(lead.open(address(job)))[0].attributes["href"]
    assert "Chunk 1 (pages 1-25)" in lead.open(first).text


@pytest.mark.parametrize(("chunks", "shape"), [(120, "cards"), (121, "small"), (400, "small"), (401, "many")])
def test_many_chunks_have_small_cells_with_the_same_names(lead: Any, chunks: int, shape: str) -> None:
    job = make_document(pages=chunks, pages_per_chunk=1)
    page = lead.open(address(job))
    assert len(cells(page)) == chunks
    assert page.root.find("ol", cls=shape)
    assert cells(page)[-1].attributes["title"] == f"Pending, chunk {chunks}, page {chunks}"
    assert page.root.find("ol", cls="small") == ([] if shape == "cards" else page.root.find("ol", cls="grid"))


def test_the_states_are_counted_and_lead_to_their_list(lead: Any) -> None:
    job = make_document(done=TEN, failed=[11], held=[12])
    page = lead.open(address(job))
    assert "Chunks 17 10 completed 1 running 5 pending 1 failed" in page.section("chunk-counts")
    assert page.links()["1 failed"] == "?phase=ocr&status=failed#items"
    listed = lead.open(address(job) + page.links()["1 failed"])
    assert [box.attributes["aria-label"] for box in listed.root.find("input", name="item")] == [
        "Select Chunk 11 (pages 251-275)"
    ]


def test_the_items_stay_a_list_without_a_second_grid(lead: Any) -> None:
    page = lead.open(address(make_document(done=[1])))
    assert "Release selected…" in page.section("items")
    assert len(page.root.find("ol", cls="grid")) == 1


# --- merge ---------------------------------------------------------------------------------------------


def words(staff: Any, job: Job) -> str:
    """Return the text of the merge section."""
    return staff.open(address(job)).section("merge")


def bar(page: Any) -> Any:
    """The bar of the merge."""
    return page.root.find("svg", role="progressbar", aria_label="Merge of the chunks")[0]


@pytest.mark.parametrize(
    ("done", "failed", "said"),
    [
        ((), (), "waiting for 17 chunks"),
        (TEN, (), "waiting for 7 chunks"),
        (TEN, [11], "waiting for 7 chunks, 1 of them failed"),
        (range(1, 17), (), "waiting for 1 chunk"),
        (range(1, 17), [17], "waiting for 1 failed chunk"),
        (range(1, 16), [16, 17], "waiting for 2 failed chunks"),
        (ALL, (), "all chunks are done; waiting for a worker"),
    ],
)
def test_the_merge_says_what_it_waits_for(lead: Any, done: Any, failed: Any, said: str) -> None:
    job = make_document(done=done, failed=failed)
    assert words(lead, job).endswith(said)
    assert bar(lead.open(address(job))).attributes["aria-valuetext"] == said


def test_a_lower_threshold_waits_for_fewer_chunks(lead: Any) -> None:
    job = make_document(done=TEN)
    operations.set_threshold(job, phase="ocr", threshold=70, actor=None, reason="enough")
    assert words(lead, job).endswith("waiting for 2 chunks")
    assert "merged when 12 chunks (70 %) are done" in lead.open(address(job)).section("head")
    tell(job, range(11, 15), "failed", error="no text")
    assert words(lead, job).endswith("waiting for 2 chunks; 4 failed")
    tell(job, range(15, 18), "failed", error="no text")
    assert words(lead, job).endswith("waiting for 2 failed chunks")


def test_a_merge_that_runs_says_since_when_and_whose_it_is(lead: Any) -> None:
    job = make_document(done=ALL)
    tell_merge(job, "processing")
    page = lead.open(address(job))
    assert "merging since" in page.section("merge")
    assert page.section("merge").endswith("s ago), merger-1")
    assert "indeterminate" in bar(page).attributes["class"]
    assert "Merging OCR results" in page.section("head")
    assert "17 of 17 chunks" in page.section("head")


def test_a_merge_that_is_done_says_where_the_text_is(lead: Any) -> None:
    job = make_document(done=ALL)
    tell_merge(job, "completed", path="/texts/contract.txt")
    page = lead.open(address(job))
    assert page.section("merge").endswith("merged: /texts/contract.txt")
    assert bar(page).attributes["aria-valuenow"] == "100"
    assert page.root.find(cls="pill")[0].text == "Completed"


@pytest.mark.parametrize("path", [7, ["a"], {"b": 1}])
def test_a_path_that_is_no_text_is_not_shown(lead: Any, path: object) -> None:
    job = make_document(done=ALL)
    tell_merge(job, "completed", path=path)
    assert words(lead, job).endswith("merged")


def test_a_merge_that_failed_says_why_and_is_retried_from_there(lead: Any) -> None:
    job = make_document(done=ALL)
    tell_merge(job, "failed", error="Disk full")
    page = lead.open(address(job))
    assert "merge failed: Disk full" in page.section("merge")
    assert "merger-1" in page.section("merge")
    page = lead.confirm(page.links()["Retry the merge…"])
    assert page.messages == [f"{job.name}: 1 retried."]
    assert page.section("merge").endswith("all chunks are done; waiting for a worker")


def test_a_merge_that_operators_end_says_so(lead: Any) -> None:
    cancelled, failed, forced, skipped, paused = (make_document(done=ALL) for _ in range(5))
    operations.cancel(cancelled, actor=None)
    operations.fail(failed, actor=None, reason="wrong file")
    operations.force_complete(forced, actor=None, reason="enough")
    operations.skip(skipped, items=[Item.objects.get(phase=phase_of(skipped, "merge")).pk], actor=None)
    operations.pause(paused, actor=None)
    assert words(lead, cancelled).endswith("cancelled before the merge")
    assert words(lead, failed).endswith("merge failed: wrong file")
    assert words(lead, forced).endswith("force-completed without a merge")
    assert words(lead, skipped).endswith("skipped, nothing was merged")
    assert words(lead, paused).endswith("all chunks are done, but the job is paused")


# --- who sees it ---------------------------------------------------------------------------------------


def test_the_address_of_the_job_leads_to_the_page_of_the_document(lead: Any) -> None:
    job = make_document()
    page = lead.open(f"/admin/jobs/job/{job.pk}/?status=failed")
    assert page.response.redirect_chain == [(address(job) + "?status=failed", 302)]


@pytest.mark.parametrize("number", ["x", "9" * 40, "0", "-1", "1_2"])
def test_an_address_without_a_document_says_so(lead: Any, number: str) -> None:
    assert "not visible to you" in lead.open(f"/admin/ocr_chunks/document/{number}/change/", status=404).text


def test_a_job_of_another_kind_is_no_document(lead: Any) -> None:
    job = make_job(items=3)
    assert "not visible to you" in lead.open(address(job), status=404).text


def test_a_document_out_of_sight_is_not_there(browser: Any) -> None:
    job = make_document(name="theirs.pdf", project="b")
    page = browser("viewer", projects=["a"]).open(address(job), status=404)
    assert "theirs.pdf" not in page.text
    assert "theirs.pdf" in browser("viewer", projects=["b"]).open(address(job)).text


def test_without_the_permission_the_page_says_which_one_is_missing(browser: Any) -> None:
    page = browser("").open(address(make_document(name="hidden.pdf")), status=403)
    assert "jobs.view_job" in page.text
    assert "hidden.pdf" not in page.text


def test_what_workers_write_is_text(lead: Any) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    job = make_document(name=evil, project=evil, done=range(3, 18), failed=[1], error=evil)
    tell(job, [2], "failed", error=evil + "!", worker=evil)
    page = lead.open(address(job))
    assert page.text.count(evil) >= 4
    assert "<img" not in page.source
    operations.retry(job, actor=None)
    tell(job, [1, 2], "completed")
    tell_merge(job, "completed", path=evil, worker=evil)
    page = lead.open(address(job))
    assert evil in page.section("merge")
    assert "<img" not in page.source


@pytest.mark.parametrize("chunks", [17, 1700])
def test_the_number_of_queries_does_not_grow_with_the_chunks(
    lead: Any, django_assert_max_num_queries: Any, chunks: int
) -> None:
    third = chunks // 3
    job = make_document(pages=chunks, pages_per_chunk=1, done=range(1, third), failed=range(third, 2 * third))
    lead.open(address(job))
    with django_assert_max_num_queries(32):
        lead.open(address(job))


def test_a_large_grid_is_refreshed_by_a_letter_for_each_chunk(lead: Any) -> None:
    job = make_document(pages=130, pages_per_chunk=1, done=[1], failed=[3], held=[4])
    whole = lead.client.get(address(job))
    states = lead.client.get(address(job), headers={"X-Grid": "states"})
    [grid] = Page(states).root.find("ol", cls="chunks")
    assert grid.attributes["data-states"] == "cpfr" + "p" * 126
    assert grid.children == []
    assert len(whole.content) - len(states.content) > 15_000


def test_cards_are_refreshed_as_they_are(lead: Any) -> None:
    job = make_document(done=[1])
    [grid] = Page(lead.client.get(address(job), headers={"X-Grid": "states"})).root.find("ol", cls="chunks")
    assert len(grid.find("a")) == 17
