"""Send queue of one browser."""

from __future__ import annotations

import json

import pytest

from jobs.live.job_messages import JobMessage
from jobs.live.send_queue import GONE_WINDOW, WINDOW, SendQueue


def frame(job_id: int, revision: int, *, is_over: bool = False) -> JobMessage:
    """Make a state of a job."""
    body = json.dumps({"id": job_id, "revision": revision})
    return JobMessage(job_id, revision, is_over, body, body, 0.0)


def taken(queue: SendQueue) -> list[tuple[int, int]]:
    """Return everything that can be sent now: (job, revision)."""
    texts = iter(lambda: queue.take(now=1.0), None)
    return [(message["id"], message.get("revision", -1)) for message in map(json.loads, texts)]


@pytest.fixture
def queue() -> SendQueue:
    """Queue of a socket that has acknowledged an empty snapshot."""
    queue = SendQueue()
    queue.snapshot([], now=0.0)
    queue.acknowledge(None, 0)
    return queue


def test_the_newest_state_replaces_the_one_that_waits(queue: SendQueue) -> None:
    for revision in (1, 3, 2):
        queue.post(frame(7, revision))
    assert taken(queue) == [(7, 3)]


def test_a_state_that_was_sent_is_not_sent_again(queue: SendQueue) -> None:
    queue.post(frame(7, 3))
    taken(queue)
    queue.post(frame(7, 3))
    assert taken(queue) == []


def test_a_state_that_the_browser_lacks_is_repeated(queue: SendQueue) -> None:
    queue.post(frame(7, 3))
    taken(queue)
    queue.repeat(frame(7, 3))
    assert taken(queue) == [(7, 3)]


def test_what_came_before_the_snapshot_and_is_in_it_is_dropped() -> None:
    queue = SendQueue()
    queue.post(frame(7, 3))
    queue.post(frame(8, 5))
    queue.snapshot([frame(7, 3), frame(8, 4)], now=0.0)
    assert taken(queue) == [(8, 5)]


def test_only_the_window_is_under_way_and_an_acknowledgement_makes_room(queue: SendQueue) -> None:
    for job_id in range(WINDOW + 2):
        queue.post(frame(job_id, 1))
    assert len(taken(queue)) == WINDOW
    assert queue.acknowledge(0, 1)
    assert taken(queue) == [(WINDOW, 1)]


def test_the_snapshot_counts_as_under_way() -> None:
    queue = SendQueue()
    queue.snapshot([], now=0.0)
    for job_id in range(WINDOW):
        queue.post(frame(job_id, 1))
    assert len(taken(queue)) == WINDOW - 1


def test_an_acknowledgement_covers_earlier_frames_of_that_job_alone(queue: SendQueue) -> None:
    for job_id, revision in ((7, 1), (8, 1), (7, 2)):
        queue.post(frame(job_id, revision))
        taken(queue)
    assert queue.acknowledge(7, 2)
    assert not queue.is_settled()
    assert queue.acknowledge(8, 1)
    assert queue.is_settled()


@pytest.mark.parametrize("acknowledged", [(7, 0), (8, 9), (None, 0)])
def test_acknowledging_what_was_not_sent_changes_nothing(
    queue: SendQueue, acknowledged: tuple[int | None, int]
) -> None:
    queue.post(frame(7, 1))
    taken(queue)
    assert not queue.acknowledge(*acknowledged)
    assert queue.waits_since() == 1.0


def test_a_job_that_comes_back_is_shown_again(queue: SendQueue) -> None:
    queue.post(frame(7, 3))
    taken(queue)
    queue.gone(7)
    assert taken(queue) == [(7, -1)]
    queue.post(frame(7, 3))
    assert taken(queue) == [(7, 3)]


def test_a_job_that_is_opened_again_is_no_longer_over(queue: SendQueue) -> None:
    queue.post(frame(7, 3, is_over=True))
    taken(queue)
    assert queue.over_since == 1.0
    queue.post(frame(7, 4))
    taken(queue)
    assert queue.over_since is None


def test_a_browser_that_reads_nothing_costs_one_state_of_each_job(queue: SendQueue) -> None:
    for revision in range(1000):
        for job_id in range(20):
            queue.post(frame(job_id, revision))
        taken(queue)
    assert queue.size() <= 20 + WINDOW


# --- jobs that are gone ------------------------------------------------------------------------------


def test_messages_that_jobs_are_gone_count_and_beyond_a_few_a_snapshot_says_the_same(queue: SendQueue) -> None:
    for job_id in range(100):
        queue.gone(job_id)
    assert len(taken(queue)) == GONE_WINDOW
    assert queue.wants_snapshot
    queue.snapshot([frame(7, 3)], now=2.0)
    assert taken(queue) == []
    assert queue.size() == GONE_WINDOW + 1 + 1  # job 7, which the snapshot shows, went meanwhile
    assert queue.acknowledge(None, 0)
    assert queue.wants_snapshot
    queue.snapshot([], now=3.0)
    assert queue.acknowledge(None, 0)
    assert (taken(queue), queue.size()) == ([], 0)


def test_what_was_sent_after_it_acknowledges_that_a_job_is_gone(queue: SendQueue) -> None:
    queue.gone(7)
    taken(queue)
    assert queue.waits_since() is None
    queue.post(frame(8, 1))
    taken(queue)
    assert queue.acknowledge(8, 1)
    assert queue.size() == 0


def test_a_job_that_is_gone_is_not_acknowledged_by_its_id(queue: SendQueue) -> None:
    queue.gone(7)
    taken(queue)
    assert not queue.acknowledge(7, 99)


def test_a_client_that_reads_nothing_gets_a_bounded_number_of_messages(queue: SendQueue) -> None:
    sent = 0
    for job_id in range(1000):
        queue.gone(job_id)
        sent += len(taken(queue))
        if queue.wants_snapshot and not (queue.is_full or queue.has_snapshot_under_way):
            queue.snapshot([], now=1.0)
            sent += 1
    assert sent <= WINDOW
    assert queue.size() <= 1000 + WINDOW
