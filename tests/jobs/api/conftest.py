"""Clients of the REST API, one per role."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.client import HTTPConnection
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from knox.models import AuthToken
from rest_framework.test import APIClient

from jobs.api import token_last_used
from jobs.models import Membership
from tests.jobs.api import contract
from tests.servers import Server, Uvicorn, on_test_database, started

_numbers = count(1)


class SocketResponse(HttpResponse):
    """A response that came over a socket."""

    def json(self) -> Any:
        """Return the body."""
        return json.loads(self.content)


class SocketClient:
    """Client of a real server, with the interface of DRF's test client."""

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self.connection = HTTPConnection(server.host, server.port, timeout=30)
        self.headers = headers

    def get(self, path: str, *, headers: dict[str, str] | None = None) -> SocketResponse:
        """Send a GET to a path or an absolute address."""
        parts = urlsplit(path)
        return self.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers)

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        format: str = "json",
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> SocketResponse:
        """Send a POST: a text as it is, everything else as JSON."""
        raw = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, raw, headers={"Content-Type": content_type, **(headers or {})})

    def request(
        self, method: str, path: str, body: bytes | None = None, *, headers: dict[str, str] | None = None
    ) -> SocketResponse:
        """Send a request and read the response; over a new connection where the server has closed the last one."""
        self.connection.request(method, path, body, {**self.headers, **(headers or {})})
        answer = self.connection.getresponse()
        response = SocketResponse(answer.read(), status=answer.status)
        for name, value in answer.getheaders():
            response.headers[name] = value
        return response


class Api:
    """A client with the token of an account of its own; of the views in this process, or of a server."""

    def __init__(self, role: str, *, projects: Sequence[str] = (), server: Server | None = None) -> None:
        self.account = User.objects.create(username=f"{role or 'no-role'}-{next(_numbers)}")
        if role:
            self.account.groups.add(Group.objects.get(name=role))
        Membership.objects.bulk_create([Membership(user=self.account, project=project) for project in projects])
        token, self.secret = AuthToken.objects.create(self.account)
        token_last_used.record_use(token)  # so that only the repeated cost of a call is measured
        headers = {"Authorization": f"Bearer {self.secret}"}
        self.client: Any = SocketClient(server, headers) if server else APIClient(headers=headers)

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


@pytest.fixture(scope="module")  # its deliverer must not meet other tests
def daphne(django_db_setup: None, django_db_blocker: Any) -> Iterator[Server]:
    """Provide `manage.py serve` on the database of the test run."""
    with django_db_blocker.unblock():
        environment = on_test_database(TEST_WATCHDOG_INTERVAL="3600")
    with started(Server(environment)) as server:
        yield server


@pytest.fixture(scope="session")
def uvicorn(django_db_setup: None, django_db_blocker: Any) -> Iterator[Server]:
    """Provide the site under uvicorn on the database of the test run."""
    with django_db_blocker.unblock():
        environment = on_test_database()
    with started(Uvicorn(environment)) as server:
        yield server


def on_each_server(*names: str) -> pytest.MarkDecorator:
    """Run the tests of a module over these ways: `view` in this process, and real servers."""
    committed = pytest.mark.django_db(transaction=True)
    ways = [name if name == "view" else pytest.param(name, marks=committed) for name in names]
    return pytest.mark.parametrize("way", ways, indirect=True)


@pytest.fixture
def api(db: None, way: Server | None) -> Callable[..., Api]:
    """Make a client: `api("worker")`, or `api("viewer", projects=["a"])` for one that is limited."""
    return partial(Api, server=way)


@pytest.fixture
def worker(db: None, way: Server | None) -> Api:
    """A client in the role of a worker that sees every project."""
    return Api("worker", server=way)


@pytest.fixture
def lead(db: None, way: Server | None) -> Api:
    """A client in the role of a lead that sees every project."""
    return Api("lead", server=way)
