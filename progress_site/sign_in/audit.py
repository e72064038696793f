"""Audit records of sign-in, in the activity and in the admin's log, under the account itself.

Refusals without an account are only in the activity, and bounded: anybody can cause them, and the activity is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.change import Actor
from jobs.change.audit import log_act, record_activity
from jobs.models import Activity
from jobs.rules.activity import SIGN_INS
from progress_site.client_ip import client_address, client_network

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = structlog.get_logger("sign_in")

REFUSED = "sign-in-refused"
UNKNOWN = Actor(name="unknown")


def record(account: User, message: str) -> None:
    """Record something that happened to an account, in the audit trail and in the server's log.

    The message begins with its kind: `sign-in: Signed in with a password from 192.0.2.7.`
    """
    logger.info("sign_in", account=account.get_username(), message=message)
    kind, _, detail = message.partition(": ")
    act = kind.replace(" ", "-")
    about = "sign-in" if act in SIGN_INS else ""
    log_act(account, message, account=account, act=act, about=about, detail=detail)


def record_unknown(request: HttpRequest, what: str, *, name: str = "") -> None:
    """Record a refusal that belongs to no account: at most AXES_FAILURE_LIMIT from a network in AXES_COOLOFF_TIME."""
    detail = f"{what}, from {client_network(request)}."
    logger.info("sign_in", account=masked(name), message=f"sign-in refused: {detail}")
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    known = Activity.objects.filter(act=REFUSED, actor=UNKNOWN.name, at__gt=since, detail__startswith=detail)
    number = known.count()
    if number < settings.AXES_FAILURE_LIMIT:
        more = " Further ones from there are only in the log." if number == settings.AXES_FAILURE_LIMIT - 1 else ""
        record_activity(REFUSED, by=UNKNOWN, about="sign-in", label=masked(name), detail=detail + more)


def masked(name: str) -> str:
    """Return the first character of a name that names no account: it may be a password in the wrong field."""
    return f"{name[:1].strip()}…" if name else ""


def client_text(name: str | None, address: str | None, *_: Any) -> str:
    """Return the name and address of a client for the log of axes."""
    shown = name if name and User.objects.filter(username=name).exists() else masked(name or "")
    return f"{shown} from {address}"


def origin(request: HttpRequest) -> str:
    """Return the words for the client's address."""
    address = client_address(request)
    return f"from {address}" if address else "from an unknown address"
