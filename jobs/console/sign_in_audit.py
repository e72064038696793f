"""Sign-ins in the activity: successes, refusals, locks and sign-outs.

Django and axes say this by their signals only, which `ConsoleConfig.ready` connects. Others (a second factor, a
single sign-on) call `record_sign_in`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axes.helpers import get_client_ip_address
from axes.signals import user_locked_out
from django.contrib.auth import get_user_model, signals
from django.http import HttpRequest

from jobs.change import Actor
from jobs.change.audit import record_activity
from jobs.rules.activity import LOCKED, REFUSED, SIGNED_IN, SIGNED_OUT

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# An unknown name may be a password that was typed into the wrong field.
UNKNOWN = "(unknown name)"


def record_sign_in(
    act: str, *, request: HttpRequest | None, account: User | None = None, name: str = "", detail: str = ""
) -> None:
    """Add a row about a sign-in to the activity.

    A refused one has no account that acts, but the name that was entered, if an account has it.
    """
    by = Actor(account=account) if account else Actor(name=_known(name))
    record_activity(act, by=by, about="sign-in", label=by.label, detail=detail, address=_address(request))


def connect() -> None:
    """Record the sign-ins of this process."""
    signals.user_logged_in.connect(_signed_in, dispatch_uid="sign-in-audit")
    signals.user_logged_out.connect(_signed_out, dispatch_uid="sign-in-audit")
    signals.user_login_failed.connect(_refused, dispatch_uid="sign-in-audit")
    user_locked_out.connect(_locked, dispatch_uid="sign-in-audit")


def _signed_in(sender: Any, *, request: HttpRequest | None, user: User, **_: Any) -> None:
    record_sign_in(SIGNED_IN, request=request, account=user)


def _signed_out(sender: Any, *, request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None:  # else there was no session any more
        record_sign_in(SIGNED_OUT, request=request, account=user)


def _refused(sender: Any, *, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Record a refusal; not those of a locked pair of name and address, which anybody can repeat without end."""
    if request is not None and not getattr(request, "axes_locked_out", False):
        record_sign_in(REFUSED, request=request, name=str(credentials.get("username", "")), detail="Wrong password.")


def _locked(sender: Any, *, request: HttpRequest, username: str, **_: Any) -> None:
    """Record the beginning of a lock. axes repeats the signal for each attempt meanwhile, without counting it."""
    if getattr(request, "axes_failures_since_start", 0):
        record_sign_in(LOCKED, request=request, name=username or "", detail="Too many wrong passwords.")


def _known(name: str) -> str:
    name = name.replace("\0", "")
    return name if get_user_model().objects.filter(username=name).exists() else UNKNOWN


def _address(request: HttpRequest | None) -> str:
    return (get_client_ip_address(request) or "") if request is not None else ""
