"""Dead letters: refused messages with the reason, kept until an operator replays them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from jobs.change import Actor
from jobs.change.audit import log_act
from jobs.inbox.ingest import Ingested, ingest_event
from jobs.inbox.messages import digest
from jobs.incidents.deliveries import message_refused
from jobs.models import InboxMessage
from jobs.models.events import InboxStatus
from jobs.models.texts import fit
from jobs.rules.errors import NotFound, NotPermitted, Refused, WrongState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

RAW_LENGTH = 64 * 1024
PERMISSION = "jobs.replay_event"


def store_dead_letter(message: dict[str, Any] | bytes, *, reason: str, source: str, type: str = "") -> InboxMessage:
    """Store a refused message, or the bytes of one that is not JSON, as a dead letter.

    `type` is used where the message has none. A repeated message of the same source is stored once.
    """
    if isinstance(message, bytes):
        payload, fingerprint = {"raw": _text(message)}, hashlib.sha256(message).hexdigest()
    else:
        payload, fingerprint = message, digest(message)
    now = timezone.now()
    with transaction.atomic():
        letter, is_new = InboxMessage.objects.get_or_create(
            source=source,
            digest=fingerprint,
            status=InboxStatus.DEAD,
            defaults={
                "type": fit(InboxMessage, "type", str(payload.get("type") or type)),
                "payload": payload,
                "reason": fit(InboxMessage, "reason", reason),
                "received_at": now,
            },
        )
        if is_new:
            message_refused(letter.reason, now=now)
    return letter


def replay(letter: InboxMessage, *, actor: User | None) -> Ingested:
    """Apply a dead letter again, unchanged. It stays dead, with the new reason, if it is refused again.

    It needs the permission to replay; the system (None) needs none. NotFound for a letter that is not visible to
    the account.
    """
    if actor is not None and not actor.has_perm(PERMISSION):
        raise NotPermitted(f"Replay needs the permission {PERMISSION}.")
    try:
        with transaction.atomic():
            return _replay(_locked(letter, actor), actor=actor)
    except (WrongState, NotFound, NotPermitted):
        raise
    except Refused as refusal:
        InboxMessage.objects.dead().filter(pk=letter.pk).update(reason=fit(InboxMessage, "reason", refusal.detail))
        raise


def _locked(letter: InboxMessage, actor: User | None) -> InboxMessage:
    letters = InboxMessage.objects.letters()
    if actor is not None:
        letters = letters.visible_to(actor)
    found = letters.select_for_update(of=("self",)).filter(pk=letter.pk).first()
    if found is None:
        raise NotFound("The dead letter no longer exists.")
    if found.status != InboxStatus.DEAD:
        raise WrongState("The dead letter has been replayed already.")
    return found


def _replay(letter: InboxMessage, *, actor: User | None) -> Ingested:
    ingested = ingest_event(letter.payload, source=letter.source, by=Actor(account=actor))
    InboxMessage.objects.filter(pk=letter.pk).update(status=InboxStatus.REPLAYED)
    outcome = "applied" if ingested.applied else ingested.reason
    detail = f"{outcome} to job {ingested.job.name}."
    log_act(letter, f"replay: {detail}", account=actor, act="replay", detail=detail)
    return ingested


def _text(raw: bytes) -> str:
    """Decode the beginning of the bytes for display, without characters that a database refuses."""
    return raw[:RAW_LENGTH].decode(errors="replace").replace("\0", "\ufffd")
