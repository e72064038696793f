"""Tickets: a client without a session cookie opens one socket and sees the jobs of its account."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.sessions.models import Session
from django.utils import timezone
from knox.models import AuthToken

from jobs import watchdog
from jobs.live import SocketLimits, tickets
from jobs.live.close_reasons import denied
from jobs.live.principals import Principal
from jobs.models import Ticket
from progress_site.asgi import Websockets
from progress_site.log_config import WithoutSockets
from tests.factories import make_job
from tests.jobs.live.conftest import Watch, run, sign_in
from tests.jobs.races.concurrency import threads

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_recheck")]
STRICT = SocketLimits(tick=0.05)
ADDRESSES = ["/ws/jobs", "/ws/jobs/{job}", "/ws/projects/a"]


def of_token(*permissions: str, **limited: Any) -> tuple[AuthToken, str]:
    """Return a token of an account with these permissions, and a ticket for it."""
    token, _ = AuthToken.objects.create(sign_in(*permissions, **limited)[0])
    return token, tickets.issue(Principal(token=token.pk, session_key=None))


def secret_of(*permissions: str) -> str:
    """Return the secret of a token of an account with these permissions."""
    _, secret = AuthToken.objects.create(sign_in(*permissions)[0])
    return str(secret)


def of_session(*permissions: str) -> tuple[str, str]:
    """Return a session's key, and a ticket for it."""
    _, key = sign_in(*permissions)
    return key, tickets.issue(Principal(token=None, session_key=key))


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("asked_by", [of_token, of_session])
async def test_a_ticket_opens_every_socket_without_a_cookie(watch: Watch, path: str, asked_by: Any) -> None:
    job = await run(make_job, items=1, project="a")
    _, ticket = await run(asked_by, "view_job")
    jobs = await watch(f"{path.format(job=job.pk)}?ticket={ticket}").begin()
    assert [each["id"] for each in jobs] == [job.pk]


@pytest.mark.parametrize("path", ADDRESSES)
async def test_a_token_in_the_handshake_opens_every_socket(watch: Watch, path: str) -> None:
    job = await run(make_job, items=1, project="a")
    secret = await run(secret_of, "view_job")
    jobs = await watch(path.format(job=job.pk), bearer=secret).begin()
    assert [each["id"] for each in jobs] == [job.pk]


@pytest.mark.parametrize("secret", ["", "x", "x" * 5000, "\xff\xfe"])
async def test_a_wrong_token_closes_with_4401_also_beside_a_valid_session(
    viewer: str, watch: Watch, secret: str
) -> None:
    browser = await watch("/ws/jobs", session_key=viewer, bearer=secret).open()
    assert await browser.closed() == 4401


async def test_a_revoked_token_closes_its_socket(watch: Watch) -> None:
    secret = await run(secret_of, "view_job")
    browser = watch("/ws/jobs", bearer=secret, limits=STRICT)
    await browser.begin()
    await run(AuthToken.objects.all().delete)
    assert await browser.closed() == 4401


async def test_a_ticket_that_was_used_closes_with_4401(watch: Watch) -> None:
    _, ticket = await run(of_token, "view_job")
    await watch(f"/ws/jobs?ticket={ticket}").begin()
    again = await watch(f"/ws/jobs?ticket={ticket}").open()
    assert await again.closed() == 4401


async def test_an_expired_ticket_closes_with_4401(watch: Watch) -> None:
    _, ticket = await run(of_token, "view_job")
    await run(Ticket.objects.update, expires_at=timezone.now())
    browser = await watch(f"/ws/jobs?ticket={ticket}").open()
    assert await browser.closed() == 4401


@pytest.mark.parametrize("garbage", ["", "x", "%00", "%ff%fe", "%ed%a0%80", "x" * 5000, "x&ticket=y"])
async def test_garbage_closes_with_4401_also_beside_a_valid_session(viewer: str, watch: Watch, garbage: str) -> None:
    browser = await watch(f"/ws/jobs?ticket={garbage}", session_key=viewer).open()
    assert await browser.closed() == 4401


async def test_a_ticket_shows_the_projects_of_its_account_alone(watch: Watch) -> None:
    mine = await run(make_job, items=1, project="a")
    other = await run(make_job, items=1, project="b")
    token, ticket = await run(of_token, "view_job", projects=["a"])
    assert [job["id"] for job in await watch(f"/ws/jobs?ticket={ticket}").begin()] == [mine.pk]
    ticket = await run(tickets.issue, Principal(token=token.pk, session_key=None))
    browser = await watch(f"/ws/jobs/{other.pk}?ticket={ticket}").open()
    assert await browser.closed() == 4403


async def test_a_ticket_of_an_account_without_the_permission_to_view_closes_with_4403(watch: Watch) -> None:
    _, ticket = await run(of_token, "report_job")
    browser = await watch(f"/ws/jobs?ticket={ticket}").open()
    assert await browser.closed() == 4403


async def test_a_token_that_is_revoked_closes_the_socket_of_its_ticket_with_4401(watch: Watch) -> None:
    token, ticket = await run(of_token, "view_job")
    browser = watch(f"/ws/jobs?ticket={ticket}", limits=STRICT)
    await browser.begin()
    await run(token.delete)
    assert await browser.closed() == 4401


async def test_a_session_that_ends_closes_the_socket_of_its_ticket_with_4401(watch: Watch) -> None:
    _, ticket = await run(of_session, "view_job")
    browser = watch(f"/ws/jobs?ticket={ticket}", limits=STRICT)
    await browser.begin()
    await run(Session.objects.all().delete)
    assert await browser.closed() == 4401


async def test_an_account_that_is_switched_off_opens_nothing_with_its_ticket(watch: Watch) -> None:
    token, ticket = await run(of_token, "view_job")
    token.user.is_active = False
    await run(token.user.save)
    browser = await watch(f"/ws/jobs?ticket={ticket}").open()
    assert await browser.closed() == 4401


def test_a_ticket_that_is_shown_to_many_at_once_opens_one() -> None:
    with threads(4) as team:
        for _ in range(8):
            _, ticket = of_token("view_job")
            answers = team.at_once(*[partial(tickets.redeem, ticket)] * 4)
            assert sum(isinstance(answer, Principal) for answer in answers) == 1
            assert sum(answer is None for answer in answers) == 3


def test_only_a_hash_of_the_secret_is_stored() -> None:
    _, ticket = of_token("view_job")
    assert ticket not in repr(Ticket.objects.values_list())


def test_the_watchdog_deletes_expired_tickets() -> None:
    of_token("view_job")
    now = timezone.now()
    assert watchdog.sweep(now)["tickets"] == 0
    assert watchdog.sweep(now + timedelta(seconds=59))["tickets"] == 0
    assert watchdog.sweep(now + timedelta(seconds=61))["tickets"] == 1
    assert not Ticket.objects.exists()


# --- pages of other origins --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "with_ticket", "taken"),
    [
        ("https://wall.example.org", True, True),
        ("https://wall.example.org", False, False),
        ("https://a.screens.example.org", True, True),
        ("http://wall.example.org", True, False),
        ("https://evil.example", True, False),
        ("http://127.0.0.1:8000", True, True),
        ("null", True, False),
        (None, True, True),
    ],
)
async def test_a_page_of_a_trusted_origin_is_taken_with_a_ticket_only(
    viewer: str, settings: Any, origin: str | None, with_ticket: bool, taken: bool
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://wall.example.org", "https://*.screens.example.org"]
    headers = [(b"cookie", f"sessionid={viewer}".encode()), *([(b"origin", origin.encode())] if origin else [])]
    path = "/ws/jobs?ticket=unknown" if with_ticket else "/ws/jobs"
    socket = WebsocketCommunicator(Websockets(), path, headers=headers)
    connected, _ = await socket.connect(timeout=5)
    assert connected == taken
    if taken:
        assert await socket.receive_output(timeout=5) == denied(4401).frame
        await asyncio.wait([socket.future], timeout=5)
    else:
        await socket.disconnect(timeout=5)


# --- the log -----------------------------------------------------------------------------------------


def test_the_log_of_a_websocket_has_its_address_without_the_ticket() -> None:
    line = ("127.0.0.1:5000", "/ws/jobs?x=1&ticket=s3cret-_&y=2", 7)
    record = logging.LogRecord("uvicorn.error", logging.INFO, "", 0, '%s - "WebSocket %s" %d', line, None)
    assert WithoutSockets(kept=True).filter(record)
    assert not WithoutSockets(kept=False).filter(record)
    assert record.getMessage() == '127.0.0.1:5000 - "WebSocket /ws/jobs?x=1&ticket=…&y=2" 7'


def test_the_logger_that_uvicorn_uses_takes_tickets_out() -> None:
    assert any(isinstance(each, WithoutSockets) for each in logging.getLogger("uvicorn.error").filters)
