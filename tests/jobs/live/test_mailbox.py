"""What waits for one browser."""

from __future__ import annotations

import json

import pytest

from jobs.live.frames import Frame
from jobs.live.mailbox import WINDOW, Mailbox


def frame(job_id: int, revision: int, *, is_over: bool = False) -> Frame:
    """A state of a job."""
    body = json.dumps({"id": job_id, "revision": revision})
    return Frame(job_id, revision, is_over, body, body, 0.0)


def taken(mailbox: Mailbox) -> list[tuple[int, int]]:
    """Everything that can be sent now: (job, revision)."""
    texts = iter(lambda: mailbox.take(now=1.0), None)
    return [(message["id"], message.get("revision", -1)) for message in map(json.loads, texts)]


@pytest.fixture
def mailbox() -> Mailbox:
    """Of a socket that has just got an empty snapshot and said so."""
    mailbox = Mailbox()
    mailbox.snapshot([], now=0.0)
    mailbox.acknowledge(None, 0)
    return mailbox


def test_the_newest_state_replaces_the_one_that_waits(mailbox: Mailbox) -> None:
    for revision in (1, 3, 2):
        mailbox.post(frame(7, revision))
    assert taken(mailbox) == [(7, 3)]


def test_a_state_that_was_sent_is_not_sent_again(mailbox: Mailbox) -> None:
    mailbox.post(frame(7, 3))
    taken(mailbox)
    mailbox.post(frame(7, 3))
    assert taken(mailbox) == []


def test_a_state_that_the_browser_lacks_is_repeated(mailbox: Mailbox) -> None:
    mailbox.post(frame(7, 3))
    taken(mailbox)
    mailbox.repeat(frame(7, 3))
    assert taken(mailbox) == [(7, 3)]


def test_what_came_before_the_snapshot_and_is_in_it_is_dropped() -> None:
    mailbox = Mailbox()
    mailbox.post(frame(7, 3))
    mailbox.post(frame(8, 5))
    mailbox.snapshot([frame(7, 3), frame(8, 4)], now=0.0)
    assert taken(mailbox) == [(8, 5)]


def test_only_the_window_is_under_way_and_an_acknowledgement_makes_room(mailbox: Mailbox) -> None:
    for job_id in range(WINDOW + 2):
        mailbox.post(frame(job_id, 1))
    assert len(taken(mailbox)) == WINDOW
    assert mailbox.acknowledge(0, 1)
    assert taken(mailbox) == [(WINDOW, 1)]


def test_the_snapshot_counts_as_under_way() -> None:
    mailbox = Mailbox()
    mailbox.snapshot([], now=0.0)
    for job_id in range(WINDOW):
        mailbox.post(frame(job_id, 1))
    assert len(taken(mailbox)) == WINDOW - 1


def test_an_acknowledgement_covers_earlier_frames_of_that_job_alone(mailbox: Mailbox) -> None:
    for job_id, revision in ((7, 1), (8, 1), (7, 2)):
        mailbox.post(frame(job_id, revision))
        taken(mailbox)
    assert mailbox.acknowledge(7, 2)
    assert not mailbox.is_settled()
    assert mailbox.acknowledge(8, 1)
    assert mailbox.is_settled()


@pytest.mark.parametrize("acknowledged", [(7, 0), (8, 9), (None, 0)])
def test_acknowledging_what_was_not_sent_changes_nothing(
    mailbox: Mailbox, acknowledged: tuple[int | None, int]
) -> None:
    mailbox.post(frame(7, 1))
    taken(mailbox)
    assert not mailbox.acknowledge(*acknowledged)
    assert mailbox.waits_since() == 1.0


def test_a_job_that_comes_back_is_shown_again(mailbox: Mailbox) -> None:
    mailbox.post(frame(7, 3))
    taken(mailbox)
    mailbox.gone(7)
    assert taken(mailbox) == [(7, -1)]
    mailbox.post(frame(7, 3))
    assert taken(mailbox) == [(7, 3)]


def test_a_job_that_is_opened_again_is_no_longer_over(mailbox: Mailbox) -> None:
    mailbox.post(frame(7, 3, is_over=True))
    taken(mailbox)
    assert mailbox.over_since == 1.0
    mailbox.post(frame(7, 4))
    taken(mailbox)
    assert mailbox.over_since is None


def test_a_browser_that_reads_nothing_costs_one_state_of_each_job(mailbox: Mailbox) -> None:
    for revision in range(1000):
        for job_id in range(20):
            mailbox.post(frame(job_id, revision))
        taken(mailbox)
    assert mailbox.size() <= 20 + WINDOW
