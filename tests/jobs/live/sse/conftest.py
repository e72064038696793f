"""Listeners at a real server, over the database of the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from knox.models import AuthToken

from jobs.models import EventCounter
from tests.jobs.live.conftest import sign_in
from tests.jobs.live.server import LiveServer, serving
from tests.jobs.live.sse.listener import Listener

Listen = Callable[..., Listener]


def token(*permissions: str, projects: Sequence[str] = ()) -> str:
    """The secret of a new account with these permissions, limited to these projects."""
    account, _ = sign_in(*permissions, projects=projects)
    secret: str = AuthToken.objects.create(account)[1]
    return secret


@pytest.fixture
def viewer(transactional_db: None) -> str:
    """The token of an account that sees every job."""
    return token("view_job")


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[LiveServer]:
    """The real server, until the tests of a module are over."""
    with serving() as running:
        yield running


def ids_go_on() -> None:
    """Event ids never start again at a real server; here the emptying of the tables would make them."""
    EventCounter.objects.update_or_create(pk=1, defaults={"value": time.time_ns() // 1_000_000})


@pytest.fixture
def listen(server: LiveServer, transactional_db: None) -> Iterator[Listen]:
    """Make a listener: `listen("/jobs/1/stream", token=secret)`; it hangs up when the test ends."""
    ids_go_on()
    listeners: list[Listener] = []

    def make(path: str, **given: str) -> Listener:
        listeners.append(Listener(server, path, **given))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.leave()
