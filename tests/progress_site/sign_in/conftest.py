"""A provider in the settings, and accounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from progress_site.sign_in.configuration import COMPANY_BACKEND, LOCAL_BACKEND, Company, providers

PASSWORD = "right-password"
ISSUER = "https://sso.example.com"
COMPANY = Company(
    issuer=ISSUER, client_id="progress", client_secret="secret", name="Example SSO", role_map=(("ops", "operator"),)
)


@pytest.fixture
def company(settings: Any) -> Callable[..., Company]:
    """Set the provider: `company(refuse_without_role=True)`."""

    def given(**more: Any) -> Company:
        settings.OIDC = replace(COMPANY, **more)
        settings.SOCIALACCOUNT_PROVIDERS = providers(settings.OIDC)
        settings.AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", COMPANY_BACKEND, LOCAL_BACKEND]
        made: Company = settings.OIDC
        return made

    return given


@pytest.fixture
def lead(db: None) -> User:
    """A lead with a password."""
    user = User.objects.create_user("olga", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="lead"))
    return user
