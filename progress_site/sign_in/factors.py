"""Second factors: accounts that need one, sessions that have used one, encrypted secrets, and codes that are used.

What is used and what was wrong is in the database, so that it holds for all processes of the site.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from jobs.live.principals import UNFINISHED
from jobs.models import Activity
from jobs.notifications import secrets as stored_secrets
from progress_site.sign_in.audit import REFUSED
from progress_site.sign_in.configuration import SUPERUSER

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# A session in which a factor was added: its owner has just shown that it works.
ADDED = "second_factor_added"
# The number of the half minute of the last code that was accepted, in the data of an app.
LAST_USED = "last_used_counter"
WRONG_FACTOR = "Wrong second factor"
PRIMARY = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def needs_factor(account: User) -> bool:
    """Return whether SECOND_FACTOR_ROLES names a role of this account, in one query at most."""
    roles = settings.SECOND_FACTOR_ROLES
    if not roles:
        return False
    if account.is_superuser:
        return SUPERUSER in roles
    return account.groups.filter(name__in=roles).exists()


def has_factor(account: User) -> bool:
    """Return whether the account has an authenticator app or a security key."""
    return Authenticator.objects.filter(user_id=account.pk, type__in=PRIMARY).exists()


def is_proven(request: HttpRequest) -> bool:
    """Return whether this session has used a second factor, here or at a provider that checks it."""
    methods = {entry.get("method") for entry in get_authentication_records(request, request.user)}
    at_provider = settings.OIDC is not None and settings.OIDC.checks_second_factor and "socialaccount" in methods
    return "mfa" in methods or bool(request.session.get(ADDED)) or at_provider


def is_missing(request: HttpRequest) -> bool:
    """Return whether the session of a request needs a second factor first. Live connections read the mark."""
    missing = not is_proven(request) and needs_factor(request.user)  # type: ignore[arg-type]
    if missing:
        request.session[UNFINISHED] = True
    elif UNFINISHED in request.session:
        del request.session[UNFINISHED]
    return missing


def has_too_many_failures(account: User) -> bool:
    """Return whether the account got as many wrong second factors, from all addresses together, as lock one address.

    Axes counts by account and address. Only a person who knows the password can give a wrong second factor.
    """
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    refused = Activity.objects.filter(actor=account.get_username(), act=REFUSED, at__gt=since)
    return refused.filter(detail__startswith=WRONG_FACTOR).count() >= int(settings.AXES_FAILURE_LIMIT)


def use_code(app: Authenticator, code: str) -> bool:
    """Mark a correct code of an authenticator app, and all older ones, as used; False where it is used already."""
    secret = get_adapter().decrypt(app.data["secret"])
    fitting = [number for number in yield_hotp_counters_from_time() if _is_code(code, secret, number)]
    with transaction.atomic():
        locked = Authenticator.objects.select_for_update().get(pk=app.pk)
        counter = max(fitting, default=-1)  # none where the time of the code has just passed
        if counter <= locked.data.get(LAST_USED, -1):
            return False
        locked.data[LAST_USED] = counter
        locked.save(update_fields=["data"])
    return True


def _is_code(code: str, secret: str, counter: int) -> bool:
    return bool(compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter))))


class FactorAdapter(DefaultMFAAdapter):
    """Authenticators: encrypted secrets, and no removal of the last one that a role needs."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This is not accepted. Enter the code that the app shows now, or an unused recovery code.",
    }

    def get_totp_issuer(self) -> str:
        """Return the name that an authenticator app shows."""
        return f"Progress Site {super().get_totp_issuer()}"

    def encrypt(self, text: str) -> str:
        """Encrypt a secret with a key made from SECRET_KEY."""
        return stored_secrets.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt a secret. After a change of SECRET_KEY it is a random one, which accepts no code."""
        try:
            return stored_secrets.decrypt(encrypted_text)
        except stored_secrets.KeyChanged:
            return base64.b32encode(secrets.token_bytes(20)).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Refuse to remove the last factor of an account that needs one."""
        others = Authenticator.objects.filter(user_id=authenticator.user_id, type__in=PRIMARY)
        return others.exclude(pk=authenticator.pk).exists() or not needs_factor(authenticator.user)
