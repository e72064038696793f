"""What is checked after every test: what goes out keeps its contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs import contracts
from jobs.models import Event

AT_MOST = 500


@pytest.fixture(autouse=True)
def _outward_events_keep_their_contracts(request: pytest.FixtureRequest) -> Iterator[None]:
    uses_database = request.node.get_closest_marker("django_db") or "db" in request.fixturenames
    if uses_database:
        request.getfixturevalue("db")
    yield
    for event in Event.objects.outward().order_by("-pk")[:AT_MOST] if uses_database else ():
        assert contracts.check(event.type, event.data) == [], event.type
