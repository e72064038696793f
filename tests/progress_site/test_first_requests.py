"""The first requests of a process, by several clients at once: what is loaded lazily is loaded once."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from threading import Barrier

import pytest

from tests.examples.site import environment, template
from tests.plan import size
from tests.servers import Server, started

SECONDS = 60.0
CLIENTS = 6
EVENT = b'{"type": "products.images.ready.batch", "data": {}}'
CALLS = [
    ("GET", "/api/v1/schema", None),
    ("POST", "/api/v1/events", EVENT),
    ("POST", "/api/v1/jobs", b'{"name": "first", "items": [{"key": "a"}]}'),
    ("GET", "/api/v1/jobs?q=a", None),
    ("GET", "/api/v1/docs", None),
    ("GET", "/admin/login/", None),
    ("GET", "/readyz", None),
    ("GET", "/metrics", None),
]


def statuses(server: Server, token: str, barrier: Barrier) -> list[int]:
    """Return the status of every call, each sent at the same time as those of the other clients."""
    found = []
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for method, path, body in CALLS:
        barrier.wait(SECONDS)
        connection = HTTPConnection(server.address, timeout=SECONDS)
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        found.append(answer.status)
        connection.close()
    return found


@pytest.mark.full
@pytest.mark.parametrize("run", range(size(1, full=10)))
def test_six_clients_of_a_fresh_process_never_see_a_server_error(tmp_path: Path, run: int) -> None:
    made, tokens = template()
    database = Path(shutil.copy(made, tmp_path / "site.sqlite3"))
    barrier = Barrier(CLIENTS)
    with started(Server(environment(database))) as server, ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(statuses, server, tokens["worker"], barrier) for _ in range(CLIENTS)]
        found = [client.result() for client in clients]
    assert not [status for row in found for status in row if status >= 500], server.said()
    assert {row[0] for row in found} == {200}
