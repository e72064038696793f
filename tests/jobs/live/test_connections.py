"""Open sockets and streams follow their accounts: one recheck for all of them, and a limit for each account."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.models import AuthToken

from jobs.live import SocketLimits, authorization, open_connections, tickets
from jobs.live.authorization import Denied, Grant, WatchRequest, recheck
from jobs.live.principals import Principal
from jobs.models import Membership, RowFailure
from tests.factories import make_job
from tests.jobs.live.conftest import Browser, Watch, run, sign_in

pytestmark = pytest.mark.django_db(transaction=True)
QUICK = SocketLimits(tick=0.05)


def leave_the_group(account: Any, key: str) -> None:
    """Take the account out of the group that permits it to view jobs."""
    account.groups.clear()


def log_out(account: Any, key: str) -> None:
    """Log out in the browser of the session."""
    client = Client()
    client.cookies[site.SESSION_COOKIE_NAME] = key
    client.logout()


def expire_the_session(account: Any, key: str) -> None:
    """Let the session end by its age."""
    Session.objects.filter(pk=key).update(expire_date=timezone.now() - timedelta(seconds=1))


def move_to_another_project(account: Any, key: str) -> None:
    """Limit the account to another project."""
    Membership.objects.create(user=account, project="b")


@pytest.mark.parametrize(
    ("change", "code"),
    [(leave_the_group, 4403), (move_to_another_project, 4403), (log_out, 4401), (expire_the_session, 4401)],
)
async def test_what_was_lost_closes_the_socket_within_five_seconds(watch: Watch, change: Any, code: int) -> None:
    account, key = await run(sign_in)
    await run(lambda: account.groups.add(Group.objects.get(name="viewer")))
    browser = watch("/ws/projects/a", session_key=key)
    await browser.begin()
    await run(change, account, key)
    began = time.monotonic()
    assert await browser.closed() == code
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("quick_recheck")
async def test_a_token_that_expires_closes_the_socket_of_its_ticket(watch: Watch) -> None:
    account, _ = await run(sign_in, "view_job")
    token, _ = await run(AuthToken.objects.create, account)
    ticket = await run(tickets.issue, Principal(token=token.pk, session_key=None))
    browser = watch(f"/ws/jobs?ticket={ticket}", limits=QUICK)
    await browser.begin()
    await run(AuthToken.objects.update, expiry=timezone.now() - timedelta(seconds=1))
    assert await browser.closed() == 4401


@pytest.mark.parametrize("number", [1, 40])
def test_a_recheck_costs_the_same_for_one_connection_and_for_many(number: int) -> None:
    requests = []
    for n in range(number):
        account, key = sign_in("view_job", projects=["a"])
        token, _ = AuthToken.objects.create(account)
        caller = Principal(token=token.pk if n % 2 else None, session_key=key)
        requests += [WatchRequest(caller, job_id=make_job(items=1, project="a").pk), WatchRequest(caller)]
    with CaptureQueriesContext(connection) as queries:
        verdicts = recheck(requests)
    assert len(queries) <= 5
    assert all(isinstance(verdict, Grant) for verdict in verdicts.values())
    assert len(verdicts) == 2 * number


def test_a_request_that_cannot_be_checked_fails_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    callers = [Principal(token=None, session_key=sign_in("view_job")[1]) for _ in range(3)]
    requests = [WatchRequest(caller) for caller in callers]
    real = authorization.accounts_of

    def accounts_of(principals: Any) -> Any:
        given = list(principals)
        if callers[1] in given:
            raise ValueError("poisoned")
        return real(given)

    monkeypatch.setattr(authorization, "accounts_of", accounts_of)
    assert recheck(requests).keys() == {requests[0], requests[2]}
    assert RowFailure.objects.get().step == "live.recheck"


@pytest.mark.usefixtures("quick_recheck")
async def test_a_connection_that_cannot_be_checked_is_closed_and_connects_again(
    monkeypatch: pytest.MonkeyPatch, watch: Watch, viewer: str
) -> None:
    browser = watch("/ws/jobs", session_key=viewer, limits=QUICK)
    await browser.begin()
    monkeypatch.setattr(authorization, "accounts_of", lambda principals: 1 // 0)
    assert await browser.closed() == 1013


def test_a_key_that_no_session_can_have_signs_nobody_in() -> None:
    keys = ["", "x", "a" * 5000, "abcdefgh\0ijk", "abcdefgh'--", "é" * 20]
    requests = [WatchRequest(Principal(token=None, session_key=key)) for key in keys]
    assert all(isinstance(verdict, Denied) and verdict.code == 4401 for verdict in recheck(requests).values())


async def opened(watch: Watch, *, session_key: str, number: int) -> list[Browser]:
    """Open so many sockets, one after the other."""
    browsers = [watch("/ws/jobs", session_key=session_key, limits=QUICK) for _ in range(number)]
    for browser in browsers:
        await browser.begin()
    return browsers


async def test_beyond_the_limit_of_an_account_its_oldest_connection_closes(watch: Watch, settings: Any) -> None:
    settings.LIVE_CONNECTIONS_PER_ACCOUNT = 3
    (_, key), (_, other) = await run(sign_in, "view_job"), await run(sign_in, "view_job")
    [of_another_account] = await opened(watch, session_key=other, number=1)
    browsers = await opened(watch, session_key=key, number=5)
    for browser in browsers[:2]:
        message = await browser.hear()
        assert (message["type"], message["code"]) == ("closing", 4429)
        assert "more than 3 open connections" in message["reason"]
        assert await browser.closed() == 4429
    for browser in (*browsers[2:], of_another_account):
        assert await browser.nothing(seconds=0.1)
    assert open_connections() == 4


async def test_a_connection_that_has_ended_takes_no_place(watch: Watch, viewer: str, settings: Any) -> None:
    settings.LIVE_CONNECTIONS_PER_ACCOUNT = 1
    for _ in range(3):
        [browser] = await opened(watch, session_key=viewer, number=1)
        await browser.leave()
    [last] = await opened(watch, session_key=viewer, number=1)
    assert await last.nothing(seconds=0.1)
