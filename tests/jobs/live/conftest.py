"""Browsers on the real application and the real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import count
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.sessions import CookieMiddleware
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import close_old_connections
from django.test import Client

from jobs.live import SocketLimits
from jobs.models import Membership
from jobs.routing import addresses

_numbers = count(1)
SECONDS = 5.0


async def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function that uses the database in a thread of its own, as a worker's request does."""
    return await database_sync_to_async(function, thread_sensitive=False)(*args, **kwargs)


def sign_in(*permissions: str, projects: Sequence[str] = ()) -> tuple[User, str]:
    """Make an account with these permissions, limited to these projects; return it and its session key."""
    account = User.objects.create(username=f"account-{next(_numbers)}")
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    Membership.objects.bulk_create([Membership(user=account, project=project) for project in projects])
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return account, str(client.session.session_key)


class Browser:
    """One socket."""

    def __init__(
        self, path: str, *, session_key: str = "", bearer: str | None = None, limits: SocketLimits | None = None
    ) -> None:
        headers = [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={session_key}".encode())] if session_key else []
        headers += [] if bearer is None else [(b"authorization", f"Bearer {bearer}".encode())]
        application = CookieMiddleware(URLRouter(addresses(limits)))
        self.socket = WebsocketCommunicator(application, path, headers=headers)

    async def open(self) -> Browser:
        """Connect; the socket is always accepted."""
        assert (await self.socket.connect(timeout=SECONDS))[0]
        return self

    async def hear(self) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = json.loads(await self.socket.receive_from(timeout=SECONDS))
        return message

    async def hear_job(self) -> dict[str, Any]:
        """Return the next job and acknowledge it."""
        message = await self.hear()
        assert message["type"] == "job", message
        job: dict[str, Any] = message["job"]
        await self.say(type="ack", id=job["id"], revision=job["revision"])
        return job

    async def begin(self) -> list[dict[str, Any]]:
        """Connect, acknowledge the first snapshot and return its jobs."""
        await self.open()
        message = await self.hear()
        assert message["type"] == "snapshot"
        await self.say(type="ack")
        jobs: list[dict[str, Any]] = message["jobs"]
        return jobs

    async def say(self, **message: Any) -> None:
        """Send a message."""
        await self.socket.send_to(text_data=json.dumps(message))

    async def closed(self, *, within: float = SECONDS) -> int:
        """Return the close code; earlier messages are skipped."""
        while True:
            event = await self.socket.receive_output(timeout=within)
            if event["type"] == "websocket.close":
                code: int = event["code"]
                return code

    async def nothing(self, *, seconds: float = 0.4) -> bool:
        """Does no message come for this time?"""
        quiet: bool = await self.socket.receive_nothing(timeout=seconds)
        return quiet

    async def leave(self) -> None:
        """Disconnect."""
        await self.socket.disconnect(timeout=SECONDS)


Watch = Callable[..., Browser]


@pytest.fixture(autouse=True)
def _connections_go_back_to_their_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo a patch of channels.testing: the live channel reads in threads, each with a connection of the pool."""
    monkeypatch.setattr("channels.testing.application.no_op", close_old_connections)


@pytest.fixture
def quick_recheck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the accounts of open connections ten times a second."""
    monkeypatch.setattr("jobs.live.connections.RECHECK_SECONDS", 0.1)


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """Make a browser: `watch("/ws/jobs", session_key=key, limits=SocketLimits(…))`; it leaves when the test ends."""
    browsers: list[Browser] = []

    def make(path: str, **kwargs: Any) -> Browser:
        browsers.append(Browser(path, **kwargs))
        return browsers[-1]

    yield make
    for browser in browsers:
        if not browser.socket.future.done():
            await browser.leave()
    await _stop_hub()


async def _stop_hub() -> None:
    """End the tasks of this loop's hub before the loop closes."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    hub_tasks: list[Awaitable[Any]] = []
    for task in others:
        if getattr(task.get_coro(), "__name__", "") in {"repeat", "listen"}:
            task.cancel()
            hub_tasks.append(task)
    await asyncio.gather(*hub_tasks, return_exceptions=True)


@pytest.fixture
def viewer(transactional_db: None) -> str:
    """The session key of an account that sees every job."""
    return sign_in("view_job")[1]
