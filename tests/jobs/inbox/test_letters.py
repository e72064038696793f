"""Dead letters: kept once with the reason, replayed once, and by whom."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User

from jobs import inbox
from jobs.inbox.broker_messages import BROKER, give_up, receive
from jobs.models import InboxMessage, Membership
from jobs.rules.errors import BadInput, NotFound, NotPermitted, WrongState
from jobs.rules.formatting import clip
from tests.factories import make_job, operator
from tests.jobs.inbox.messages import event, job, phase

pytestmark = pytest.mark.django_db
REFUSED = "type: It was refused."


def lead(*projects: str) -> User:
    """An account that may replay."""
    user = operator()
    user.user_permissions.set(Permission.objects.filter(codename="replay_event"))
    Membership.objects.bulk_create([Membership(user=user, project=project) for project in projects])
    return User.objects.get(pk=user.pk)


def bury(message: Any, *, source: str = "broker") -> InboxMessage:
    """A dead letter."""
    return inbox.store_dead_letter(message, reason=REFUSED, source=source)


def fresh(letter: InboxMessage) -> InboxMessage:
    """As it is now."""
    return InboxMessage.objects.get(pk=letter.pk)


def test_a_letter_keeps_the_message_and_the_reason() -> None:
    message = event("products.images.ready.batch", total_images=-1)
    letter = bury(message)
    assert (letter.status, letter.type, letter.payload) == ("dead", message["type"], message)
    assert (letter.reason, letter.source, letter.event_id) == (REFUSED, "broker", None)


def test_the_same_message_of_the_same_source_is_one_letter() -> None:
    message = event("products.images.ready.batch", total_images=-1)
    assert bury(message).pk == bury(dict(reversed(message.items()))).pk
    assert bury(message, source="other").pk != bury(message).pk
    assert bury(b"{").pk == bury(b"{").pk != bury(b"[").pk


def test_bytes_that_are_no_text_are_kept_as_far_as_they_can_be_read() -> None:
    letter = bury(b"\xff\x00abc" + b"x" * 100_000)
    raw = fresh(letter).payload["raw"]
    assert raw.startswith("\ufffd\ufffdabc")
    assert len(raw) == 64 * 1024


def test_a_replayed_letter_is_applied_and_no_longer_dead() -> None:
    letter = bury(event("products.images.ready.batch", total_images=3))
    actor = lead()
    taken = inbox.replay(letter, actor=actor)
    assert (taken.applied, fresh(letter).status, phase("image.embeddings").expected) == (True, "replayed", 3)
    entry = LogEntry.objects.get(user=actor)
    assert (entry.object_id, entry.change_message) == (str(letter.pk), "replay: applied to job batch.")
    assert job().events.filter(actor=actor.username).exists()
    assert list(InboxMessage.objects.letters()) == [fresh(letter)]
    assert not InboxMessage.objects.dead()


def test_a_letter_is_replayed_once() -> None:
    letter = bury(event("products.images.ready.batch", total_images=3))
    inbox.replay(letter, actor=None)
    with pytest.raises(WrongState, match="replayed"):
        inbox.replay(letter, actor=None)


def test_a_letter_that_was_applied_meanwhile_is_a_duplicate() -> None:
    message = event("products.images.ready.batch", total_images=3)
    letter = bury(message)
    inbox.replay(bury(message, source="x"), actor=None)
    assert inbox.replay(letter, actor=None).reason == "duplicate"
    assert fresh(letter).status == "replayed"


def test_what_is_refused_again_stays_dead_with_the_new_reason() -> None:
    letter = bury(event("products.images.ready.batch", total_images=-1))
    with pytest.raises(BadInput):
        inbox.replay(letter, actor=lead())
    assert (fresh(letter).status, fresh(letter).reason) == (
        "dead",
        "data.total_images: -1 is less than the minimum of 0.",
    )
    assert not LogEntry.objects.exists()


def test_replay_needs_its_permission() -> None:
    letter = bury(event("products.images.ready.batch", total_images=1))
    with pytest.raises(NotPermitted, match=r"jobs\.replay_event"):
        inbox.replay(letter, actor=operator("retry"))
    assert fresh(letter).status == "dead"


def test_letters_are_for_accounts_that_see_every_project() -> None:
    make_job(project="red", items=1)
    letter = bury(event("products.images.ready.batch", total_images=1))
    limited, free = lead("red"), lead()
    assert not InboxMessage.objects.letters().visible_to(limited)
    assert list(InboxMessage.objects.letters().visible_to(free)) == [letter]
    with pytest.raises(NotFound):
        inbox.replay(letter, actor=limited)


def test_a_dead_letter_does_not_block_the_event_of_its_id() -> None:
    message = event("products.images.ready.batch", total_images=1)
    bury(message)
    assert inbox.ingest_event(message, source="broker", by=BROKER).applied


@pytest.mark.parametrize("body", [b"{}", b"\xff", b'{"a": "\\ud800"}'])
@pytest.mark.parametrize("routing_key", ["a\0b", "a\ud800b", "x" * 300])
def test_a_message_of_any_bytes_under_any_routing_key_is_a_letter(body: bytes, routing_key: str) -> None:
    receive(body, type=routing_key)
    give_up(body, type=routing_key, reason="Delivered too often.")
    assert InboxMessage.objects.get().type == clip(routing_key.replace("\0", "?").replace("\ud800", "?"), 120)
