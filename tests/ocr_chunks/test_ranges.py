"""Every page of a document belongs to exactly one chunk, whoever chose the ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.rules.errors import BadInput
from ocr_chunks.page_ranges import MOST_CHUNKS, PageRange, check, split


def pages(ranges: list[PageRange]) -> list[int]:
    """Every page of these ranges in their order."""
    return [page for start, end in ranges for page in range(start, end + 1)]


@pytest.mark.parametrize(
    ("page_count", "per_chunk", "sizes"),
    [
        (422, 25, [25] * 16 + [22]),
        (50, 25, [25, 25]),
        (60, 25, [25, 25, 10]),
        (75, 25, [25, 25, 25]),
        (20, 25, [20]),
        (100, 10, [10] * 10),
        (1, 1, [1]),
    ],
)
def test_pages_are_split_into_chunks_of_the_same_size_and_a_last_one_with_the_rest(
    page_count: int, per_chunk: int, sizes: list[int]
) -> None:
    ranges = split(page_count, pages_per_chunk=per_chunk)
    assert [end - start + 1 for start, end in ranges] == sizes
    assert (ranges[0].start, ranges[-1].end) == (1, page_count)


@given(page_count=st.integers(1, 20_000), per_chunk=st.integers(4, 30_000))
def test_splitting_covers_every_page_once(page_count: int, per_chunk: int) -> None:
    ranges = split(page_count, pages_per_chunk=per_chunk)
    assert pages(ranges) == list(range(1, page_count + 1))
    assert all(end - start + 1 == per_chunk for start, end in ranges[:-1])
    check(ranges, page_count=page_count)


@st.composite
def cuts(draw: st.DrawFn) -> list[PageRange]:
    """Ranges of any sizes that cover a document."""
    ends = sorted(draw(st.sets(st.integers(1, 500), min_size=1, max_size=40)))
    return [PageRange(before + 1, end) for before, end in zip([0, *ends], ends, strict=False)]


@given(ranges=cuts())
def test_ranges_of_any_size_that_cover_a_document_are_fine(ranges: list[PageRange]) -> None:
    check(ranges, page_count=ranges[-1].end)


@given(
    ranges=st.lists(st.builds(PageRange, st.integers(-1, 12), st.integers(-1, 12)), max_size=5),
    page_count=st.integers(1, 12),
)
def test_ranges_are_taken_exactly_where_they_cover_every_page_once_in_order(
    ranges: list[PageRange], page_count: int
) -> None:
    whole = all(start <= end for start, end in ranges) and pages(ranges) == list(range(1, page_count + 1))
    try:
        check(ranges, page_count=page_count)
        taken = True
    except BadInput:
        taken = False
    assert taken == whole


@pytest.mark.parametrize(
    ("ranges", "field"),
    [
        ([(30, 25)], "chunks[0].page_end"),
        ([(0, 25), (26, 30)], "chunks[0].page_start"),
        ([(1, 10), (12, 30)], "chunks[1].page_start"),
        ([(1, 10), (10, 30)], "chunks[1].page_start"),
        ([(11, 30), (1, 10)], "chunks[0].page_start"),
        ([(1, 10), (11, 29)], "chunks[1].page_end"),
        ([(1, 10), (11, 31)], "chunks[1].page_end"),
        ([], "chunks"),
    ],
)
def test_ranges_that_leave_out_or_repeat_a_page_are_refused_by_their_place(
    ranges: list[tuple[int, int]], field: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        check([PageRange(*pair) for pair in ranges], page_count=30)
    assert (list(refusal.value.errors), refusal.value.code) == ([field], "invalid_page_range")


def test_a_document_has_at_most_5000_chunks() -> None:
    assert len(split(125_000, pages_per_chunk=25)) == MOST_CHUNKS
    single = [PageRange(page, page) for page in range(1, MOST_CHUNKS + 2)]
    check(single[:-1], page_count=MOST_CHUNKS)
    with pytest.raises(BadInput, match="at most 5,000"):
        check(single, page_count=MOST_CHUNKS + 1)


@pytest.mark.parametrize(("page_count", "least"), [(125_001, "26"), (2**53, "1,801,439,850,949")])
def test_too_many_chunks_are_refused_with_the_pages_per_chunk_that_it_takes(page_count: int, least: str) -> None:
    with pytest.raises(BadInput, match=f"at least {least} pages per chunk") as refusal:
        split(page_count, pages_per_chunk=25)
    assert list(refusal.value.errors) == ["pages_per_chunk"]
    assert len(split(page_count, pages_per_chunk=int(least.replace(",", "")))) <= MOST_CHUNKS
