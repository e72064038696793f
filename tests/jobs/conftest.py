"""Fixtures of the kernel's tests: contracts checked after every test, and a broker that tests may kill."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from jobs import contracts
from jobs.models import Event
from tests.jobs.outbox.rabbit import SERVER, Broker

AT_MOST = 500


@pytest.fixture(autouse=True)
def _outward_events_keep_their_contracts(request: pytest.FixtureRequest) -> Iterator[None]:
    uses_database = request.node.get_closest_marker("django_db") or "db" in request.fixturenames
    if uses_database:
        request.getfixturevalue("db")
    yield
    for event in Event.objects.outward().order_by("-pk")[:AT_MOST] if uses_database else ():
        assert contracts.check(event.type, event.data) == [], event.type


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Provide a RabbitMQ server that a test may kill, and has to start again."""
    if SERVER is None:
        refuse = pytest.fail if os.environ.get("REQUIRE_SERVICES") == "1" else pytest.skip
        refuse("there is no rabbitmq-server to start and kill")
    broker = Broker(tmp_path_factory.mktemp("rabbitmq"))
    broker.start()
    yield broker
    broker.kill()
