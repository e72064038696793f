"""A site for all tests of the client, and clients with a journal of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from progress_client import Client, backoff, outcome_queue, session

from tests.client.forked_scripts import Run, run_script
from tests.client.gateway import Gateway, gateway_to
from tests.client.grounds import environment
from tests.examples.site import Site, serving

_numbers = count(1)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("client-site")) as running:
        yield running


@pytest.fixture(scope="session")
def operator(site: Site) -> str:
    """The token of an account that is a worker and a lead."""
    return site.tokens["operator"]


@pytest.fixture
def name() -> str:
    """A name for a job that no other test uses."""
    return f"job-{next(_numbers)}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the journals of a test."""
    return tmp_path / "journal"


@pytest.fixture
def client(site: Site, folder: Path) -> Iterator[Client]:
    with Client(site.url, token=site.token, worker="w1", journal=folder) as made:
        yield made


@pytest.fixture
def another(site: Site, folder: Path) -> Iterator[Callable[..., Client]]:
    """Makes further clients; they are closed afterwards."""
    made: list[Client] = []

    def make(url: str = site.url, *, token: str = site.token, worker: str = "w2") -> Client:
        made.append(Client(url, token=token, worker=worker, journal=folder, retry_for=5))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up early on a server that a test has stopped."""
    monkeypatch.setattr(session, "CLOSE_SECONDS", 1.0)


@pytest.fixture
def run(site: Site, folder: Path, name: str) -> Run:
    """Run a script that forks: `run(code, url=…, token=…, VARIABLE=…)`; return what it prints."""

    def call(code: str, *, url: str = "", token: str = "", **variables: str) -> str:
        return run_script(code, name, environment(url or site.url, token or site.token, journal=folder) | variables)

    return call


@pytest.fixture
def gateway(site: Site) -> Iterator[Gateway]:
    """A gateway in front of the site that can answer in its place."""
    with gateway_to(site) as made:
        yield made


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report and retry after at most a tenth of a second."""
    monkeypatch.setattr(backoff, "LONGEST", 0.1)
    monkeypatch.setattr(outcome_queue, "OLDEST_SECONDS", 0.05)
