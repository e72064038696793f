"""What waits for one browser."""

from __future__ import annotations

import json

import pytest

from jobs.live.job_messages import JobMessage
from jobs.live.send_queue import GONE_WINDOW, WINDOW, SendQueue


def frame(job_id: int, revision: int, *, is_over: bool = False) -> JobMessage:
    """A state of a job."""
    body = json.dumps({"id": job_id, "revision": revision})
    return JobMessage(job_id, revision, is_over, body, body, 0.0)


def taken(mailbox: SendQueue) -> list[tuple[int, int]]:
    """Everything that can be sent now: (job, revision)."""
    texts = iter(lambda: mailbox.take(now=1.0), None)
    return [(message["id"], message.get("revision", -1)) for message in map(json.loads, texts)]


@pytest.fixture
def mailbox() -> SendQueue:
    """Of a socket that has just got an empty snapshot and said so."""
    mailbox = SendQueue()
    mailbox.snapshot([], now=0.0)
    mailbox.acknowledge(None, 0)
    return mailbox


def test_the_newest_state_replaces_the_one_that_waits(mailbox: SendQueue) -> None:
    for revision in (1, 3, 2):
        mailbox.post(frame(7, revision))
    assert taken(mailbox) == [(7, 3)]


def test_a_state_that_was_sent_is_not_sent_again(mailbox: SendQueue) -> None:
    mailbox.post(frame(7, 3))
    taken(mailbox)
    mailbox.post(frame(7, 3))
    assert taken(mailbox) == []


def test_a_state_that_the_browser_lacks_is_repeated(mailbox: SendQueue) -> None:
    mailbox.post(frame(7, 3))
    taken(mailbox)
    mailbox.repeat(frame(7, 3))
    assert taken(mailbox) == [(7, 3)]


def test_what_came_before_the_snapshot_and_is_in_it_is_dropped() -> None:
    mailbox = SendQueue()
    mailbox.post(frame(7, 3))
    mailbox.post(frame(8, 5))
    mailbox.snapshot([frame(7, 3), frame(8, 4)], now=0.0)
    assert taken(mailbox) == [(8, 5)]


def test_only_the_window_is_under_way_and_an_acknowledgement_makes_room(mailbox: SendQueue) -> None:
    for job_id in range(WINDOW + 2):
        mailbox.post(frame(job_id, 1))
    assert len(taken(mailbox)) == WINDOW
    assert mailbox.acknowledge(0, 1)
    assert taken(mailbox) == [(WINDOW, 1)]


def test_the_snapshot_counts_as_under_way() -> None:
    mailbox = SendQueue()
    mailbox.snapshot([], now=0.0)
    for job_id in range(WINDOW):
        mailbox.post(frame(job_id, 1))
    assert len(taken(mailbox)) == WINDOW - 1


def test_an_acknowledgement_covers_earlier_frames_of_that_job_alone(mailbox: SendQueue) -> None:
    for job_id, revision in ((7, 1), (8, 1), (7, 2)):
        mailbox.post(frame(job_id, revision))
        taken(mailbox)
    assert mailbox.acknowledge(7, 2)
    assert not mailbox.is_settled()
    assert mailbox.acknowledge(8, 1)
    assert mailbox.is_settled()


@pytest.mark.parametrize("acknowledged", [(7, 0), (8, 9), (None, 0)])
def test_acknowledging_what_was_not_sent_changes_nothing(
    mailbox: SendQueue, acknowledged: tuple[int | None, int]
) -> None:
    mailbox.post(frame(7, 1))
    taken(mailbox)
    assert not mailbox.acknowledge(*acknowledged)
    assert mailbox.waits_since() == 1.0


def test_a_job_that_comes_back_is_shown_again(mailbox: SendQueue) -> None:
    mailbox.post(frame(7, 3))
    taken(mailbox)
    mailbox.gone(7)
    assert taken(mailbox) == [(7, -1)]
    mailbox.post(frame(7, 3))
    assert taken(mailbox) == [(7, 3)]


def test_a_job_that_is_opened_again_is_no_longer_over(mailbox: SendQueue) -> None:
    mailbox.post(frame(7, 3, is_over=True))
    taken(mailbox)
    assert mailbox.over_since == 1.0
    mailbox.post(frame(7, 4))
    taken(mailbox)
    assert mailbox.over_since is None


def test_a_browser_that_reads_nothing_costs_one_state_of_each_job(mailbox: SendQueue) -> None:
    for revision in range(1000):
        for job_id in range(20):
            mailbox.post(frame(job_id, revision))
        taken(mailbox)
    assert mailbox.size() <= 20 + WINDOW


# --- jobs that are gone ------------------------------------------------------------------------------


def test_messages_that_jobs_are_gone_count_and_beyond_a_few_a_snapshot_says_the_same(mailbox: SendQueue) -> None:
    for job_id in range(100):
        mailbox.gone(job_id)
    assert len(taken(mailbox)) == GONE_WINDOW
    assert mailbox.wants_snapshot
    mailbox.snapshot([frame(7, 3)], now=2.0)
    assert taken(mailbox) == []
    assert mailbox.size() == GONE_WINDOW + 1 + 1  # job 7, which the snapshot shows, went meanwhile
    assert mailbox.acknowledge(None, 0)
    assert mailbox.wants_snapshot
    mailbox.snapshot([], now=3.0)
    assert mailbox.acknowledge(None, 0)
    assert (taken(mailbox), mailbox.size()) == ([], 0)


def test_what_was_sent_after_it_acknowledges_that_a_job_is_gone(mailbox: SendQueue) -> None:
    mailbox.gone(7)
    taken(mailbox)
    assert mailbox.waits_since() is None
    mailbox.post(frame(8, 1))
    taken(mailbox)
    assert mailbox.acknowledge(8, 1)
    assert mailbox.size() == 0


def test_a_job_that_is_gone_is_not_acknowledged_by_its_id(mailbox: SendQueue) -> None:
    mailbox.gone(7)
    taken(mailbox)
    assert not mailbox.acknowledge(7, 99)


def test_a_client_that_reads_nothing_gets_a_bounded_number_of_messages(mailbox: SendQueue) -> None:
    sent = 0
    for job_id in range(1000):
        mailbox.gone(job_id)
        sent += len(taken(mailbox))
        if mailbox.wants_snapshot and not (mailbox.is_full or mailbox.has_snapshot_under_way):
            mailbox.snapshot([], now=1.0)
            sent += 1
    assert sent <= WINDOW
    assert mailbox.size() <= 1000 + WINDOW
