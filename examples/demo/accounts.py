"""Accounts of the demo: an operator and the workers."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

from django.contrib.auth.models import Group, User
from knox.models import AuthToken

from jobs.access import Role

OPERATOR, WORKER = "demo", "demo-worker"


def operator(kept: Path) -> tuple[str, str]:
    """Create the operator account; return its name and its password, which is stored in the file `kept`."""
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(9))
    password = kept.read_text()
    account, _ = User.objects.get_or_create(username=OPERATOR)
    account.is_staff = account.is_superuser = account.is_active = True
    if not account.check_password(password):
        account.set_password(password)
    account.save()
    account.groups.add(Group.objects.get(name=Role.LEAD))
    return OPERATOR, password


def worker_token() -> tuple[AuthToken, str]:
    """Create a token for the workers, valid for one day."""
    account, created = User.objects.get_or_create(username=WORKER)
    if created:
        account.set_unusable_password()
        account.save()
    account.groups.set([Group.objects.get(name=Role.WORKER)])
    token, secret = AuthToken.objects.create(account, expiry=timedelta(days=1))
    return token, secret
