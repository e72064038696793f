"""A real browser in front of the real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from knox.models import AuthToken
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.chromium import find_chromium
from tests.e2e.story_helpers import Worker
from tests.jobs.live.server import LiveServer, serving
from tests.servers import Server

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


@pytest.fixture(scope="package")
def running(django_db_setup: None) -> Iterator[LiveServer]:
    """The server that all browser tests share, over the database that is emptied after each.

    Its watchdog sleeps: what is stuck or expired is so because a test says it, and stays so.
    """
    with serving(LOG_LEVEL="ERROR", TEST_WATCHDOG_INTERVAL="86400") as server:
        yield server


@pytest.fixture
def server(running: LiveServer, transactional_db: None) -> LiveServer:
    """A server over the database of the test; the test may kill it and start it again."""
    if not running.is_running:
        running.start()
    return running


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser that all browser tests share; each has a context of its own.

    While it runs there is an event loop, which tests of other packages cannot have. A browser test is no coroutine,
    so that Django may be called beside that loop.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


def make_account(name: str, role: str) -> User:
    """Create an account with this role and a password."""
    user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


@pytest.fixture
def lead(transactional_db: None) -> User:
    """An operator with every permission, who can sign in with a password."""
    return make_account("olga", "lead")


class Complaints(list[str]):
    """Console errors of the browser: violations of the content policy, and script errors."""

    def listen(self, page: Page) -> None:
        """Collect the console errors of a page."""
        page.on("console", self.hear)
        page.on("pageerror", lambda error: self.append(str(error)))

    def hear(self, message: ConsoleMessage) -> None:
        """Collect an error, except lost connections, which tests cause on purpose."""
        lost = "ERR_CONNECTION" in message.text or "WebSocket connection" in message.text
        if message.type == "error" and not lost:
            self.append(message.text)


@pytest.fixture
def complaints() -> Complaints:
    """Console errors of the browser in this test."""
    return Complaints()


@pytest.fixture
def context(chromium: Browser, server: Server) -> Iterator[BrowserContext]:
    """A browser context that is not signed in."""
    context = chromium.new_context(base_url=server.url)
    yield context
    context.close()


def sign_in(context: BrowserContext, account: User, *, server: Server) -> None:
    """The browser has the session of this account, as after the form."""
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": server.url}])


@pytest.fixture
def page(context: BrowserContext, server: Server, lead: User, complaints: Complaints) -> Page:
    """The overview of a lead."""
    sign_in(context, lead, server=server)
    page = context.new_page()
    complaints.listen(page)
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


@pytest.fixture
def as_role(chromium: Browser, server: LiveServer, complaints: Complaints) -> Iterator[Callable[[str], Page]]:
    """Open the overview with another account: `as_role("viewer")`."""
    contexts: list[BrowserContext] = []

    def open_overview(role: str) -> Page:
        contexts.append(chromium.new_context(base_url=server.url))
        sign_in(contexts[-1], make_account(f"a-{role}", role), server=server)
        page = contexts[-1].new_page()
        complaints.listen(page)
        page.goto("/admin/")
        return page

    yield open_overview
    for context in contexts:
        context.close()


@pytest.fixture
def worker(server: LiveServer) -> Worker:
    """A worker with a token of its own."""
    return Worker(server, AuthToken.objects.create(make_account("worker", "worker"))[1])
