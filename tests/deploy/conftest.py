"""Two servers of the site with accounts and a job, over the database of the test run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from tests.conftest import REQUIRED
from tests.db_cleanup import empty_tables
from tests.deploy.proxies import PROXIES, Front, TLSUvicorn, binary, manage, start
from tests.examples.site import environment, template
from tests.servers import database_url, started

PASSWORD = "correct-horse-battery"
MAKE = f"""
from django.contrib.auth.models import Group, User
from jobs import tracking
from jobs.api import tokens
from jobs.change import Actor
olga = User.objects.create_superuser("olga", password="{PASSWORD}")
made = tracking.create_job(name="scans", items=[tracking.NewItem(f"page {{n}}") for n in range(9)], by=Actor())
print("made", made.job.pk, tokens.issue("w1", roles=["worker"]))
"""


@dataclass
class Backend:
    """Two servers below a prefix, a job and the token of a worker."""

    servers: list[TLSUvicorn]
    environment: dict[str, str]
    prefix: str
    job: int
    token: str

    @property
    def ports(self) -> list[int]:
        """The ports of the servers."""
        return [server.port for server in self.servers]

    def said(self) -> str:
        """Everything that the servers have logged."""
        return "".join(server.said() for server in self.servers)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The URL of a migrated database: that of the test run, or an SQLite file, which servers can share."""
    if connection.vendor == "sqlite":
        folder = tmp_path_factory.mktemp("site")
        yield f"sqlite:///{shutil.copy(template()[0], folder / 'site.sqlite3')}"
        return
    yield database_url()
    with django_db_blocker.unblock():
        empty_tables()


@pytest.fixture(scope="module")
def made(database: str) -> tuple[int, str]:
    """The job and the token of every server."""
    given = {**environment(Path("unused")), "DATABASE_URL": database}
    said = manage(given, "shell", "-c", MAKE).stdout.splitlines()
    [[_, job, token]] = [line.split() for line in said if line.startswith("made ")]
    return int(job), token


@pytest.fixture(scope="module", params=["", "/progress"], ids=["root", "prefix"])
def backend(request: pytest.FixtureRequest, database: str, made: tuple[int, str]) -> Iterator[Backend]:
    """Two servers."""
    own = {"DATABASE_URL": database, "PATH_PREFIX": request.param, "ALLOWED_HOSTS": "localhost", "HTTPS": "on"}
    own |= {"TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "INFO"}
    given = {**environment(Path("unused")), **own}
    if settings.REDIS_URL:
        given["REDIS_URL"] = settings.REDIS_URL
    with ExitStack() as stack:
        servers = [stack.enter_context(started(TLSUvicorn(given))) for _ in range(2)]
        yield Backend(servers, given, request.param, *made)


@pytest.fixture(scope="module", params=PROXIES)
def front(
    request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """A proxy in front of the two servers."""
    if binary(request.param) is None:
        refuse: Any = pytest.fail if REQUIRED else pytest.skip
        refuse(f"there is no {request.param} on the PATH")
    running = start(request.param, tmp_path_factory.mktemp(request.param), backend.ports, prefix=backend.prefix)
    yield running
    running.process.terminate()
    running.process.wait(timeout=20)
