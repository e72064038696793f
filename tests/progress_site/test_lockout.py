"""Wrong passwords: number, account, address, and duration of the lock."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from rest_framework.test import APIClient
from structlog.contextvars import get_contextvars

from progress_site.client_ip import LogMiddleware, client_network
from progress_site.forwarded_headers import forwarded

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
RIGHT, WRONG = "right-password", "wrong-password"
HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"
LIMIT = 10


@pytest.fixture
def olga() -> User:
    """An operator."""
    return User.objects.create_user("olga", password=RIGHT, is_staff=True)


def sign_in(name: str, password: str, *, address: str = HERE, **headers: str) -> Any:
    """Return the answer to a browser at this address."""
    given = {"username": name, "password": password, "next": "/admin/"}
    return Client(REMOTE_ADDR=as_forwarded(address, **headers)).post(LOGIN, given)


def as_forwarded(peer: str, **headers: str) -> str:
    """Return the address of the client that the site gets from the middleware of proxies."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items() if value]
    client = (peer, 4711) if peer else None
    found = forwarded({"type": "http", "scheme": "http", "client": client, "headers": raw})["client"]
    return str(found[0]) if found else ""


def fail(times: int, name: str = "olga", *, address: str = HERE, **headers: str) -> Any:
    """Return the answer to the last of several wrong passwords."""
    return [sign_in(name, WRONG, address=address, **headers) for _ in range(times)][-1]


@pytest.mark.parametrize("name", ["olga", "unknown-account"])
def test_the_tenth_wrong_password_locks_out_whether_there_is_such_an_account_or_not(olga: User, name: str) -> None:
    ninth = fail(LIMIT - 1, name)
    assert (ninth.status_code, "correct username and password" in ninth.content.decode()) == (200, True)
    tenth = fail(1, name)
    assert tenth.status_code == 429
    assert 890 <= int(tenth.headers["Retry-After"]) <= 900
    said = tenth.content.decode()
    assert "Too many wrong passwords" in said
    assert "blocked for <b>15 min</b>" in said
    assert name not in said


def test_meanwhile_the_right_password_is_refused(olga: User) -> None:
    fail(LIMIT)
    answer = sign_in("olga", RIGHT)
    assert answer.status_code == 429
    assert "sessionid" not in answer.cookies


def test_another_name_and_another_address_are_not_locked(olga: User) -> None:
    User.objects.create_user("vera", password=RIGHT, is_staff=True)
    fail(LIMIT)
    assert sign_in("vera", RIGHT).status_code == 302
    assert sign_in("olga", RIGHT, address=ELSEWHERE).status_code == 302


def test_it_opens_a_quarter_of_an_hour_after_the_tenth_whatever_was_tried_since(olga: User) -> None:
    fail(LIMIT)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    late = fail(3)
    assert (late.status_code, int(late.headers["Retry-After"]) <= 60) == (429, True)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert sign_in("olga", RIGHT).status_code == 302


def test_the_right_password_forgets_the_wrong_ones(olga: User) -> None:
    fail(LIMIT - 1)
    assert sign_in("olga", RIGHT).status_code == 302
    assert fail(LIMIT - 1).status_code == 200


def test_what_is_tried_while_it_is_locked_leaves_no_trace_that_grows(olga: User) -> None:
    fail(LIMIT)
    before = AccessAttempt.objects.values().get()
    fail(3)
    assert AccessAttempt.objects.values().get() == before
    assert WRONG not in str(before)


def test_a_command_opens_it_at_once(olga: User, capsys: pytest.CaptureFixture[str]) -> None:
    fail(LIMIT)
    call_command("axes_reset_username", "olga")
    assert sign_in("olga", RIGHT).status_code == 302


# --- addresses ---------------------------------------------------------------------------------------


def test_a_forged_header_neither_escapes_nor_locks_others(olga: User) -> None:
    answers = [fail(1, **{"X-Forwarded-For": f"93.184.216.{n}"}) for n in range(LIMIT)]
    assert answers[-1].status_code == 429
    assert sign_in("olga", RIGHT, address="93.184.216.1").status_code == 302


def test_behind_a_trusted_proxy_the_address_is_that_of_the_browser(olga: User, settings: Any) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    forged = {"X-Forwarded-For": f"203.0.113.9, {HERE}, 10.0.0.2"}
    assert fail(LIMIT, address="10.0.0.1", **forged).status_code == 429
    other = {"X-Forwarded-For": f"{HERE}, {ELSEWHERE}, 10.0.0.2"}
    assert sign_in("olga", RIGHT, address="10.0.0.1", **other).status_code == 302


@pytest.mark.parametrize(
    ("peer", "hops", "address"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.7,10.0.0.2", "192.0.2.7"),
        ("10.0.0.1", "192.0.2.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "", "2001:db8:1:2::"),
        ("", "192.0.2.7", "192.0.2.7"),  # a Unix socket, which only this machine reaches
        ("unix:", "", None),
    ],
)
def test_the_address_is_the_last_that_no_trusted_proxy_has(
    settings: Any, peer: str, hops: str, address: str | None
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    request = RequestFactory().get("/", REMOTE_ADDR=as_forwarded(peer, **{"X-Forwarded-For": hops}))
    assert client_network(request) == address


# --- tokens ------------------------------------------------------------------------------------------


def test_guessed_tokens_are_401_and_lock_no_account(olga: User) -> None:
    for n in range(3 * LIMIT):
        answer = APIClient(headers={"Authorization": f"Bearer {n:064x}"}).get("/api/v1/jobs")
        assert answer.status_code == 401
    assert not AccessAttempt.objects.exists()
    assert sign_in("olga", RIGHT, address="127.0.0.1").status_code == 302


def test_the_log_believes_the_address_that_the_count_believes(olga: User, settings: Any) -> None:
    def logged(address: str, **headers: str) -> Any:
        bound: list[Any] = []
        request = RequestFactory(REMOTE_ADDR=as_forwarded(address, **headers)).get("/")
        LogMiddleware(lambda _: bound.append(get_contextvars()["ip"]) or HttpResponse())(request)
        return bound[0]

    assert logged(HERE, **{"x-forwarded-for": "203.0.113.9"}) == HERE
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    assert logged(HERE, **{"x-forwarded-for": "203.0.113.9"}) == HERE
    assert logged("10.0.0.5", **{"x-forwarded-for": "203.0.113.66, 203.0.113.9"}) == "203.0.113.9"
    assert logged("10.0.0.5", **{"x-forwarded-for": "2001:db8::7"}) == "2001:db8::7"
    assert logged("") is None
