"""Browsers of operators, one per role."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from jobs.models import Membership
from tests.jobs.pages.page_parser import Page
from tests.jobs.rules.conftest import clock

__all__ = ["clock"]

_numbers = count(1)


class Browser:
    """A client that is signed in to the console."""

    def __init__(self, role: str, *, projects: Sequence[str] = ()) -> None:
        self.account = User.objects.create(username=f"{role or 'none'}-{next(_numbers)}", is_staff=True)
        if role:
            self.account.groups.add(Group.objects.get(name=role))
        Membership.objects.bulk_create([Membership(user=self.account, project=project) for project in projects])
        self.client = Client()
        self.client.force_login(self.account)

    def open(self, address: str, *, status: int = 200) -> Page:
        """The page at this address, redirects followed."""
        response = self.client.get(address, follow=True)
        assert response.status_code == status, response.content[:2000]
        return Page(response)

    def confirm(self, address: str, *, page: Page | None = None, status: int = 200, **answers: Any) -> Page:
        """Open the page that asks, answer it, and follow to where it leads."""
        asked = page or self.open(address)
        response = self.client.post(address, {**asked.hidden(), **answers}, follow=True)
        assert response.status_code == status, response.content[:2000]
        return Page(response)


@pytest.fixture
def browser(db: None) -> Callable[..., Browser]:
    """Sign in: `browser("lead")`, or `browser("viewer", projects=["a"])` for one that is limited."""
    return Browser


@pytest.fixture
def lead(db: None) -> Browser:
    """A client with every permission for every project."""
    return Browser("lead")
