"""Audit records of sign-in, in the activity and in the admin's log, under the account itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from jobs.change.audit import log_act
from jobs.rules.activity import SIGN_INS
from progress_site.client_ip import client_address

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest

logger = structlog.get_logger("sign_in")


def record(account: User, message: str) -> None:
    """Record something that happened to an account, in the audit trail and in the server's log.

    The message begins with its kind: `sign-in: Signed in with a password from 192.0.2.7.`
    """
    logger.info("sign_in", account=account.get_username(), message=message)
    kind, _, detail = message.partition(": ")
    act = kind.replace(" ", "-")
    about = "sign-in" if act in SIGN_INS else ""
    log_act(account, message, account=account, act=act, about=about, detail=detail)


def origin(request: HttpRequest) -> str:
    """Return the words for the client's address."""
    address = client_address(request)
    return f"from {address}" if address else "from an unknown address"
