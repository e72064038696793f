"""Accounts of the large site: one per role."""

from __future__ import annotations

from django.contrib.auth.models import Group, User

from jobs.access import Role

PASSWORD = "look-at-the-console-7"
ROLES = {"vera": Role.VIEWER, "omar": Role.OPERATOR, "olga": Role.LEAD, "worker": Role.WORKER}


def make_accounts() -> dict[str, User]:
    """Create an account per role, and the superuser `admin`; return them by their name."""
    accounts = {name: User.objects.create_user(name, password=PASSWORD, is_staff=name != "worker") for name in ROLES}
    for name, role in ROLES.items():
        accounts[name].groups.set([Group.objects.get(name=role)])
    return {**accounts, "admin": User.objects.create_superuser("admin", password=PASSWORD)}
