"""A real browser in front of the real server."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.jobs.live.server import database_url

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "browser-test-password"
SECONDS = 1000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
expect.set_options(timeout=15 * SECONDS)


class Server:
    """`manage.py serve` on a port of its own, which can be killed and started again there."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it listens."""
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        environment = os.environ | {"DATABASE_URL": database_url(), "LOG_LEVEL": "ERROR"}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert re.search(r"http://127\.0\.0\.1:\d+/", said), said

    def kill(self) -> None:
        """The process is gone at once, as after a crash."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """The process ends as it should."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.communicate(timeout=20)
            self.process = None


@pytest.fixture
def restore_roles(transactional_db: None) -> None:
    """The groups of the roles, which the emptying of the tables after another such test has taken away."""
    if not Group.objects.filter(name="lead").exists():
        with connection.schema_editor() as editor:
            import_module("jobs.migrations.0002_roles").make_roles(apps, editor)


@pytest.fixture
def server(transactional_db: None, restore_roles: None) -> Iterator[Server]:
    """A server over the database of the test."""
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def lead(transactional_db: None, restore_roles: None) -> User:
    """An operator with every permission, who can sign in with a password."""
    user = User.objects.create_user("olga", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="lead"))
    return user


@pytest.fixture
def chromium(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """A browser of its own for each test: while it runs there is an event loop, which other tests cannot have.

    The test itself is no coroutine, so that Django may be called beside that loop.
    """
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield browser
        browser.close()


class Complaints(list[str]):
    """What the browser complained about: broken rules of the content policy, and errors of scripts."""

    def listen(self, page: Page) -> None:
        """Note what this page's console says."""
        page.on("console", self.hear)
        page.on("pageerror", lambda error: self.append(str(error)))

    def hear(self, message: ConsoleMessage) -> None:
        """A lost connection is no complaint; the tests lose it on purpose."""
        lost = "ERR_CONNECTION" in message.text or "WebSocket connection" in message.text
        if message.type == "error" and not lost:
            self.append(message.text)


@pytest.fixture
def complaints() -> Complaints:
    """What the browser complained about."""
    return Complaints()


@pytest.fixture
def context(chromium: Browser, server: Server) -> Iterator[BrowserContext]:
    """A browser of somebody who has not signed in."""
    context = chromium.new_context(base_url=server.url)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, lead: User, complaints: Complaints) -> Page:
    """A page of somebody who has signed in through the form."""
    page = context.new_page()
    complaints.listen(page)
    page.goto("/admin/")
    page.get_by_label("Username").fill(lead.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page
