"""The objects of two projects and the accounts of all callers, made once for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client, override_settings

from tests.access.callers import Caller, make_callers
from tests.access.projects import FOREIGN, OWN, Project, make_project

# Middlewares that take half of the time of a request and decide nothing about access.
LEFT_OUT = (
    "progress_site.compression.",
    "progress_site.static_files.",
    "csp.",
    "progress_site.client_ip.",
    "axes.",
    "django.middleware.clickjacking.",
)


@dataclass(frozen=True)
class Site:
    """A client of the whole site, the objects of its projects, and its callers."""

    client: Client
    projects: dict[str, Project]
    callers: dict[str, Caller]


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker: Any) -> Iterator[Site]:
    """Provide the site; all is undone after the last test of the file."""
    middlewares = [name for name in settings.MIDDLEWARE if not name.startswith(LEFT_OUT)]
    with django_db_blocker.unblock(), override_settings(MIDDLEWARE=middlewares), transaction.atomic():
        projects = {name: make_project(name) for name in (OWN, FOREIGN)}
        yield Site(Client(raise_request_exception=False), projects, make_callers())
        transaction.set_rollback(True)
