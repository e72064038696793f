"""Fixtures of the training tests: a clock, a live-channel listener and API clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse

from tests.jobs.api import contract
from tests.jobs.api.conftest import Api
from tests.jobs.conftest import _outward_events_keep_their_contracts
from tests.jobs.rules.conftest import broadcasts, clock

__all__ = ["_outward_events_keep_their_contracts", "broadcasts", "clock"]


class TrainingApi(Api):
    """A client that tells of faces as well."""

    def patch(self, path: str, body: Any = None) -> HttpResponse:
        """PATCH below /api/v1; the answer must keep the contract."""
        response = self.client.patch(f"/api/v1{path}", {} if body is None else body, format="json")
        contract.check("PATCH", f"/api/v1{path}", response)
        return response

    def send(self, method: str, path: str, body: Any = None) -> HttpResponse:
        """A request by the name of its method."""
        return self.get(path) if method == "get" else getattr(self, method)(path, body)


@pytest.fixture
def api(db: None) -> Callable[..., TrainingApi]:
    """Make a client: `api("worker")`, or `api("viewer", projects=["a"])` for one that is limited."""
    return TrainingApi


@pytest.fixture
def worker(db: None) -> TrainingApi:
    """A client in the role of a worker that sees every project."""
    return TrainingApi("worker")
