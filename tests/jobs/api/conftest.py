"""Clients of the REST API, one per role."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from knox.models import AuthToken
from rest_framework.test import APIClient

from jobs.api import token_last_used
from jobs.models import Membership
from tests.jobs.api import contract

_numbers = count(1)


class Api:
    """A client with the token of an account of its own."""

    def __init__(self, role: str, *, projects: Sequence[str] = ()) -> None:
        self.account = User.objects.create(username=f"{role or 'no-role'}-{next(_numbers)}")
        if role:
            self.account.groups.add(Group.objects.get(name=role))
        Membership.objects.bulk_create([Membership(user=self.account, project=project) for project in projects])
        token, self.secret = AuthToken.objects.create(self.account)
        token_last_used.record_use(token)  # so that only the repeated cost of a call is measured
        self.client = APIClient(headers={"Authorization": f"Bearer {self.secret}"})

    def get(self, path: str, **headers: str) -> HttpResponse:
        """Send a GET below /api/v1; the answer must keep the contract."""
        response = self.client.get(f"/api/v1{path}", headers=headers)
        contract.check("GET", f"/api/v1{path}", response)
        return response

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Send a POST below /api/v1; the answer must keep the contract."""
        response = self.client.post(f"/api/v1{path}", {} if body is None else body, format="json", headers=headers)
        contract.check("POST", f"/api/v1{path}", response)
        return response


@pytest.fixture
def api(db: None) -> Callable[..., Api]:
    """Make a client: `api("worker")`, or `api("viewer", projects=["a"])` for one that is limited."""
    return Api


@pytest.fixture
def worker(db: None) -> Api:
    """A client in the role of a worker that sees every project."""
    return Api("worker")


@pytest.fixture
def lead(db: None) -> Api:
    """A client in the role of a lead that sees every project."""
    return Api("lead")
