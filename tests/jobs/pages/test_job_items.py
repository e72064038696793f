"""The items on the page of a job: the grid, the list, its filters and its acts."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from jobs import tracking
from jobs.console.acts import selection
from jobs.console.items import item_list
from jobs.models import Item
from tests.factories import WORKER, make_job, phase_of, settle, take
from tests.jobs.pages.test_job_page import address


def test_every_item_has_a_cell_up_to_four_hundred(lead: Any) -> None:
    job = make_job(items=13, done=3, failed=1)
    page = lead.open(address(job))
    cells = page.root.find("a", cls="cell")
    assert len(cells) == 13
    assert cells[3].text == "k3: Failed, unknown error"
    assert [cell.attributes.get("tabindex") for cell in cells[:2]] == [None, "-1"]


def test_above_that_a_cell_is_a_block_with_the_worst_status(lead: Any) -> None:
    job = make_job(items=1001)
    settle(phase_of(job), ["completed", "completed", "failed"] + ["completed"] * 497)
    tracking.claim(phase_of(job), worker="w1", limit=2, by=WORKER)
    page = lead.open(address(job))
    cells = page.root.find("a", cls="cell")
    assert len(cells) == 334
    assert [cells[0].text, cells[1].text] == ["1Block 1: 1 of about 3 failed", "Block 2: worst is completed"]
    assert cells[0].attributes["class"] == "cell failed share-2"
    assert cells[166].text == "Block 167: worst is running"
    assert cells[166].find("use")[0].attributes["href"] == "#i-running"
    assert {cell.attributes["class"] for cell in cells[168:]} == {"cell pending"}
    assert "Each cell stands for about 3 items" in page.section("items")


def test_a_block_leads_to_the_list_of_exactly_its_items(lead: Any) -> None:
    job = make_job(items=1001)
    page = lead.open(address(job))
    block = page.root.find("a", cls="cell")[1].attributes["href"]
    first, last = (int(end) for end in block.partition("range=")[2].removesuffix("#items").split("-"))
    assert ticks(lead.open(address(job) + block)) == [str(pk) for pk in range(first, last + 1)]
    assert (last - first, first) == (2, Item.objects.order_by("pk")[3].pk)


@pytest.mark.parametrize("ids", ["1", "-", "a-b", "1-2-3", "9" * 30 + "-" + "9" * 40, "٣-٤"])
def test_a_range_that_makes_no_sense_matches_nothing(lead: Any, ids: str) -> None:
    assert ticks(lead.open(f"{address(make_job(items=3))}?range={quote(ids)}")) == []


def ticks(page: Any) -> list[str]:
    """The ids of the items that are listed."""
    return [node.attributes["value"] for node in page.root.find("input", name="item")]


def test_items_are_filtered_by_status_split_and_text(lead: Any) -> None:
    job = make_job(items=6, done=2, failed=1)
    Item.objects.filter(key="k5").update(split="valid", label="Chunk 5 (pages 101-125)")

    def listed(query: str) -> set[str]:
        return set(ticks(lead.open(address(job) + query)))

    pk = {item.key: str(item.pk) for item in Item.objects.all()}
    assert listed("?status=failed") == {pk["k2"]}
    assert listed("?split=valid") == {pk["k5"]}
    assert listed("?q=pages+101") == {pk["k5"]}
    assert listed("?q=k1") == {pk["k1"]}
    assert listed("?status=nonsense") == set(pk.values())


def test_the_list_of_items_is_paged_back_and_forth(lead: Any) -> None:
    job = make_job(items=80, done=30, failed=10, skipped=8)
    take(phase_of(job), 7)
    seen: list[list[str]] = []
    place = address(job)
    while place:
        page = lead.open(place)
        seen.append(ticks(page))
        here, place = place, address(job) + page.links()["Next page"] if "Next page" in page.links() else ""
    every = [pk for listed in seen for pk in listed]
    assert len(every) == len(set(every)) == 80
    for listed in reversed(seen[:-1]):
        page = lead.open(address(job) + lead.open(here).links()["Previous page"])
        assert ticks(page) == listed
        here = str(page.response.request["PATH_INFO"]) + "?" + page.response.request["QUERY_STRING"]
    assert "Previous page" not in page.links()


def test_the_list_begins_with_what_is_worst(lead: Any) -> None:
    job = make_job(items=30, done=12, failed=3, skipped=2)
    take(phase_of(job), 4)
    rows = lead.open(address(job)).root.find("table", cls="items")[0].find("tr")[1:]
    assert [row.find(cls="pill")[0].text for row in rows] == (
        ["Failed"] * 3 + ["Running"] * 4 + ["Pending"] * 9 + ["Completed"] * 9
    )


def test_tabs_count_the_states_and_lead_to_them_with_the_other_filters(lead: Any) -> None:
    job = make_job(items=30, done=12, failed=3)
    page = lead.open(address(job))
    assert "All 30 Failed 3 Pending 15 Completed 12" in page.section("items")
    assert len(ticks(lead.open(address(job) + page.links()["Failed 3"]))) == 3
    narrowed = lead.open(address(job) + "?split=x&worker=w9")
    assert narrowed.links()["Failed"] == "?phase=items&status=failed&split=x&worker=w9#items"
    assert "split x, worker w9" in narrowed.section("items")


@pytest.mark.parametrize(
    ("query", "said", "acts"),
    [
        ("", "All 30 Failed 3", set()),
        ("?status=failed", "All 3 that match: Retry all…", {"Retry all…", "Skip all…"}),
        ("?status=pending&q=k2", "All 10 that match: Skip all…", {"Skip all…"}),
        ("?status=completed", "All 12 that match", set()),
    ],
)
def test_everything_that_matches_is_acted_on_by_its_filter(lead: Any, query: str, said: str, acts: set[str]) -> None:
    job = make_job(items=30, done=12, failed=3)
    page = lead.open(address(job) + query)
    assert said in page.section("items")
    assert {text for text in page.links() if text.endswith("all…")} == acts


def test_retrying_all_that_match_leaves_the_others_and_comes_back_to_the_filter(lead: Any) -> None:
    job = make_job(items=30, done=12, failed=3)
    here = address(job) + "?status=failed&q=k12"
    confirmed = lead.confirm(lead.open(here).links()["Retry all…"])
    assert confirmed.messages == [f"{job.name}: 1 retried."]
    assert confirmed.response.redirect_chain[-1][0] == here
    assert phase_of(job).failed == 2


def test_of_more_than_one_confirmation_takes_the_first_are_offered(lead: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_list, "MOST_ITEMS", 5)
    monkeypatch.setattr(selection, "MOST_ITEMS", 5)
    job = make_job(items=6)
    page = lead.open(address(job) + "?q=k")
    assert "The first 5 that match" in page.section("items")
    asked = lead.open(page.links()["Skip all…"])
    assert "More match than one confirmation can include: these are 5 of 6 items" in asked.text
    confirmed = lead.confirm(page.links()["Skip all…"], page=asked, reason="not needed")
    assert confirmed.messages == [f"{job.name}: 5 skipped."]
    assert list(job.phases.get().items.filter(status="pending").values_list("key", flat=True)) == ["k5"]
