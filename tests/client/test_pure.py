"""Pure parts of the client: pauses, portions, leases, lists, lines of a stream."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from progress_client import Client, __version__, backoff, file_listing, job_watch
from progress_client.buffer import MOST_RESULTS, Address, Buffer, Outcome
from progress_client.errors import NotFound, NotPermitted, ProgressError, Refused, WrongState, refusal
from progress_client.leases import Leases
from progress_client.outcome_queue import OutcomeQueue
from progress_client.retry_schedule import RetrySchedule

HERE = Address(7, "items", "w1")
PAST = "Sat, 21 Nov 2026 05:00:00 GMT"
DATE = "Sat, 21 Nov 2026 06:00:10 GMT"
SIX = 1795240800.0


@pytest.mark.parametrize(("tries", "longest"), [(0, 0.25), (1, 0.5), (4, 4.0), (7, 30.0), (1000, 30.0)])
def test_a_pause_is_anything_up_to_a_bound_that_doubles(tries: int, longest: float) -> None:
    assert backoff.pause(tries, uniform=lambda low, high: high) == longest
    assert backoff.pause(tries, uniform=lambda low, high: low) == 0


def test_a_pause_is_never_shorter_than_the_server_asks_for() -> None:
    assert backoff.pause(0, retry_after=5, uniform=lambda low, high: low) == 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("2", 2),
        ("99999", 600),
        (DATE, 10),
        (PAST, 0),
        ("soon", 0),
        ("-1", 0),
        ("Mon, 99999999999999999999 Nov 2026 10:10:10 GMT", 0),
        ("Mon, 09 Nov 2026 10:10:10 +99999999999999999999", 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float) -> None:
    assert backoff.retry_after(header, now=lambda: SIX) == seconds


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Refused), (401, NotPermitted), (403, NotPermitted), (404, NotFound), (409, WrongState)]
)
def test_a_refusal_says_the_servers_sentence(status: int, kind: type[Refused]) -> None:
    error = refusal(status, {"detail": "No.", "code": "c", "errors": [{"field": "name", "detail": "Too long."}]})
    assert (type(error), str(error), error.code, error.errors) == (kind, "No.", "c", [("name", "Too long.")])
    assert str(refusal(status, None)) == f"The server answered HTTP {status}."


# --- the buffer ------------------------------------------------------------------------------------


def outcome(number: int, *, address: Address = HERE, is_count: bool = False, **body: Any) -> Outcome:
    return Outcome(number, address, {"key": str(number), **body}, is_count)


def portions(*outcomes: Outcome) -> list[list[int]]:
    buffer = Buffer()
    for one in outcomes:
        buffer.add(one)
    found = []
    while addresses := buffer.addresses():
        found.append(buffer.portion(addresses[0]).numbers)
    assert buffer.size == 0
    return found


def test_outcomes_of_one_phase_are_told_together_and_in_order() -> None:
    there = Address(8, "items", "w1")
    assert portions(outcome(1), outcome(2, address=there), outcome(3)) == [[1, 3], [2]]


def test_a_call_carries_a_thousand_results_at_most() -> None:
    assert [len(part) for part in portions(*map(outcome, range(2500)))] == [MOST_RESULTS, MOST_RESULTS, 500]


def test_a_call_stays_below_the_servers_limit_of_bytes() -> None:
    large = [outcome(number, result={"text": "x" * 16_000}) for number in range(100)]
    assert max(len(part) for part in portions(*large)) * 16_000 < 2**20


def test_counts_are_told_one_by_one() -> None:
    counts = [outcome(number, is_count=True) for number in (1, 2)]
    assert portions(counts[0], counts[1], outcome(3)) == [[1], [2], [3]]


def test_outcomes_that_are_put_back_keep_their_order_and_let_the_others_go_first() -> None:
    buffer = Buffer()
    there = Address(8, "items", "w1")
    for one in (outcome(1), outcome(2), outcome(3, address=there)):
        buffer.add(one)
    buffer.put_back(buffer.portion(HERE, most=1))
    assert (buffer.addresses(), buffer.size) == ([there, HERE], 3)
    assert buffer.portion(HERE).numbers == [1, 2]


# --- rests after failures ----------------------------------------------------------------------------


def failing(
    schedule: RetrySchedule, address: Address = HERE, *, now: float, retry_after: float = 0, status: int = 503
) -> float:
    return schedule.failed(address, retry_after=retry_after, status=status, now=now)


def test_an_address_that_fails_rests_alone_and_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "pause", lambda tries, retry_after=0.0: retry_after + 2**tries)
    schedule, there = RetrySchedule(), Address(8, "items", "w1")
    assert failing(schedule, now=0, retry_after=600) == 601
    assert schedule.ready([HERE, there], now=1) == there
    schedule.succeeded(there, now=1)
    assert schedule.ready_at([HERE]) == 601
    assert failing(schedule, now=601) == 2


def test_failures_in_a_row_let_all_rest_and_the_server_is_left_alone_for_as_long_as_it_asks() -> None:
    schedule, there = RetrySchedule(), Address(8, "items", "w1")
    failing(schedule, now=0, status=0)
    failing(schedule, there, now=0, retry_after=60, status=503)
    assert schedule.ready([Address(9, "items")], now=59) is None
    schedule.wake(None)
    assert schedule.ready_at([HERE, there]) == 60


def test_a_server_that_answers_again_is_told_at_once_what_it_never_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "pause", lambda tries, retry_after=0.0: retry_after + 30)
    schedule, there = RetrySchedule(), Address(8, "items", "w1")
    failing(schedule, now=0, status=0)
    failing(schedule, Address(9, "items"), now=0, status=404)
    schedule.succeeded(there, now=1)
    assert schedule.ready([HERE], now=1) == HERE
    assert schedule.ready([Address(9, "items")], now=1) is None


def test_outcomes_are_late_when_their_lease_may_be_over_or_a_try_failed() -> None:
    queue = OutcomeQueue()
    late = partial(queue.is_overdue, None, older_than=30)
    queue.add(outcome(1), now=0, since=0)
    assert (late(now=29), late(now=30)) == (False, True)
    portion = queue.take(now=30)
    assert portion is not None
    assert late(now=31)
    queue.failed(portion, retry_after=600, status=404, now=31)
    assert queue.is_overdue(7, older_than=1000, now=32)
    assert not queue.is_overdue(8, older_than=0, now=32)
    queue.add(outcome(2, address=Address(8, "items")), now=32, since=32)
    queue.settled(queue.take(now=40), now=40)  # type: ignore[arg-type]
    assert not late(now=100), "the server answers for others: this must not hold up claims for ever"


@pytest.mark.parametrize("is_count", [True, False])
def test_an_entry_of_the_journal_says_the_outcome(is_count: bool) -> None:
    one = outcome(5, is_count=is_count)
    assert Outcome.of(5, one.entry()) == one


# --- leases ----------------------------------------------------------------------------------------


def test_a_lease_is_renewed_three_times_within_its_length() -> None:
    leases = Leases()
    leases.take((7, "w1"), {1: "a", 2: "b"}, lease=90, now=0)
    assert leases.next_at() == 30
    assert leases.due(now=29) == []
    assert leases.due(now=30) == [((7, "w1"), [1, 2])]
    assert leases.next_at() == 60


def test_a_shorter_lease_is_renewed_earlier() -> None:
    leases = Leases()
    leases.take((7, "w1"), {1: "a"}, lease=90, now=0)
    leases.take((7, "w1"), {2: "b"}, lease=6, now=0)
    assert leases.next_at() == 2


def test_what_is_dropped_is_renewed_no_more() -> None:
    leases = Leases()
    leases.take((7, "w1"), {1: "a"}, lease=90, now=0)
    assert leases.drop((7, "w1"), [1, 5]) == ["a"]
    assert leases.next_at() is None


def test_a_renewal_names_a_thousand_items_at_most() -> None:
    leases = Leases()
    leases.take((7, "w1"), dict.fromkeys(range(1500)), lease=3, now=0)
    assert [len(ids) for _, ids in leases.due(now=1)] == [1000, 500]


# --- lists -----------------------------------------------------------------------------------------


def test_a_job_of_more_items_than_one_call_takes_is_told_the_total_first() -> None:
    items = file_listing.bodies([str(number) for number in range(12_000)] + ["0"])
    body, rest = file_listing.creation("big", items, {})
    assert body["phases"][0]["expected"] == 12_000
    assert [len(body["items"]), *map(len, rest)] == [5000, 5000, 2000]


def test_a_small_job_says_nothing_but_its_items() -> None:
    assert file_listing.creation("small", file_listing.bodies(["a", "a"]), {"kind": None}) == (
        {"name": "small", "items": [{"key": "a"}]},
        [],
    )
    assert file_listing.creation("none", [], {})[0]["items"] == []
    assert "items" not in file_listing.creation("open", None, {})[0]


def test_items_of_many_bytes_go_in_more_calls() -> None:
    items = [{"key": str(number), "payload": {"text": "x" * 16_000}} for number in range(100)]
    assert max(map(len, file_listing.portions(items))) * 16_000 < 2**20


def test_a_large_job_of_another_kind_must_name_its_phases() -> None:
    items = file_listing.bodies(map(str, range(6000)))
    with pytest.raises(ValueError, match="give `phases`"):
        file_listing.creation("big", items, {"kind": "vision", "asset_types": ["video"]})


# --- streams ---------------------------------------------------------------------------------------


def test_a_stream_is_read_message_by_message() -> None:
    raw = b':\n\nevent: snapshot\nid: 4\ndata: {"jobs": []}\n\nevent: job\nid: 5\ndata: {"job": 1}\n\ndata: {"half'
    assert list(job_watch.messages(raw.splitlines(keepends=True))) == [
        ("snapshot", "4", {"jobs": []}),
        ("job", "5", {"job": 1}),
    ]


def test_the_version_of_a_program_is_told_in_the_user_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    def agent(**options: str) -> str:
        with Client("http://127.0.0.1:1", token="t", journal=None, **options) as client:
            return client._session.transport._headers["User-Agent"]

    assert agent() == f"progress_client/{__version__}"
    assert agent(version="ocr-1.4.2") == f"progress_client/{__version__} (ocr-1.4.2)"
    monkeypatch.setenv("PROGRESS_VERSION", "ocr-1.5.0")
    assert agent() == f"progress_client/{__version__} (ocr-1.5.0)"
    for wrong in ("v" * 101, "a\nb", "é", "1 (2)"):
        with pytest.raises(ProgressError, match="100 printable ASCII"):
            agent(version=wrong)
