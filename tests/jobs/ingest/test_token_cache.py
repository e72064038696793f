"""Access of tokens: kept for two seconds, and each way of losing a right is effective at once or after that time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.models import AuthToken

from jobs.api import token_cache, tokens
from jobs.api.token_cache import KEPT_SECONDS, TokenCache
from jobs.models import Membership

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Put a fresh cache with a clock of its own in place of the process's one."""
    clock = Clock()
    monkeypatch.setattr(token_cache, "cache", TokenCache(clock))
    return clock


@pytest.fixture
def secret(clock: Clock) -> Iterator[str]:
    """The token of the account w1, which may report because of its group."""
    Group.objects.create(name="reporters").permissions.set(Permission.objects.filter(codename="report_job"))
    made = tokens.issue("w1", roles=["reporters"])
    assert may_report(made)
    yield made
    Group.objects.filter(name="reporters").delete()  # the cleanup keeps groups


def may_report(secret: str) -> bool:
    """Return whether a call with this token is authorised: from the cache, else from the database."""
    caller = token_cache.cache.get(secret) or token_cache.cache.load(secret)
    return caller is not None and caller.access.may("report_job")


def account() -> User:
    """Return the account of the token."""
    return User.objects.get(username="w1")


def sign_in() -> Client:
    """Return a browser of a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(path: str, **fields: object) -> None:
    """Submit a form of the admin, which must be accepted."""
    answer = sign_in().post(f"/admin/{path}", fields)
    assert answer.status_code == 302, answer.context["errors"]


def test_a_known_token_costs_no_query(secret: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert may_report(secret)
    assert len(captured) == 0


def test_the_secret_is_not_kept(secret: str) -> None:
    kept = repr(token_cache.cache._entries)
    assert secret not in kept
    assert secret[:15] in kept  # what knox stores in clear, too


def test_another_secret_with_the_same_beginning_is_refused(secret: str) -> None:
    assert token_cache.cache.get(secret[:-1] + "x") is None


def user_form(**changes: object) -> None:
    """Save the account's form in the admin."""
    post(f"auth/user/{account().pk}/change/", username="w1", **changes)


AT_ONCE: dict[str, Callable[[], object]] = {
    "revocation": lambda: tokens.revoke(AuthToken.objects.get()),
    "rotation": lambda: tokens.rotate(AuthToken.objects.get()),
    "another role": lambda: tokens.issue("w1", roles=["viewer"]),
    "deactivation": lambda: user_form(groups=[Group.objects.get(name="reporters").pk]),
    "removal from the group": lambda: user_form(is_active="on"),
    "a smaller group": lambda: post(f"auth/group/{Group.objects.get(name='reporters').pk}/change/", name="reporters"),
    "deletion of the group": lambda: post(f"auth/group/{Group.objects.get(name='reporters').pk}/delete/", post="yes"),
}


@pytest.mark.parametrize("lose", AT_ONCE.values(), ids=AT_ONCE.keys())
def test_a_right_that_is_lost_in_this_process_is_lost_at_once(secret: str, lose: Callable[[], object]) -> None:
    lose()
    assert not may_report(secret)


def test_projects_that_change_in_this_process_change_at_once(clock: Clock) -> None:
    secret = tokens.issue("w1", projects=["red"])
    assert may_report(secret)
    post("jobs/membership/add/", user=account().username, project="blue")
    assert token_cache.cache.get(secret) is None
    caller = token_cache.cache.load(secret)
    assert caller is not None
    assert caller.access.projects == {"red", "blue"}
    tokens.issue("w1", projects=["green"])
    assert token_cache.cache.get(secret) is None


ELSEWHERE: dict[str, Callable[[], object]] = {
    "revocation": lambda: AuthToken.objects.all().delete(),
    "deactivation": lambda: User.objects.filter(username="w1").update(is_active=False),
    "removal from the group": lambda: account().groups.clear(),
    "a smaller group": lambda: Group.objects.get(name="reporters").permissions.clear(),
    "a permission": lambda: Permission.objects.filter(codename="report_job").delete(),
}


@pytest.mark.parametrize("lose", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_a_right_that_is_lost_in_another_process_is_lost_within_two_seconds(
    secret: str, clock: Clock, lose: Callable[[], object]
) -> None:
    with transaction.atomic():
        lose()
        clock.now += KEPT_SECONDS - 0.01
        assert may_report(secret)
        clock.now += 0.01
        assert not may_report(secret)
        transaction.set_rollback(True)


def test_projects_that_change_in_another_process_change_within_two_seconds(clock: Clock) -> None:
    secret = tokens.issue("w1", projects=["red"])
    assert may_report(secret)
    Membership.objects.update(project="blue")
    clock.now += KEPT_SECONDS
    assert token_cache.cache.get(secret) is None


def test_a_token_that_expires_is_refused_from_that_moment(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tokens.issue("w1", days=1)
    assert may_report(secret)
    later = timezone.now() + timedelta(days=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert not may_report(secret)


def test_what_is_read_while_it_changes_is_not_kept(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tokens.issue("w1")
    read = token_cache.access_of

    def changing(user: User) -> object:
        access = read(user)
        tokens.issue("w1", roles=["viewer"])
        return access

    monkeypatch.setattr(token_cache, "access_of", changing)
    token_cache.cache.load(secret)
    monkeypatch.setattr(token_cache, "access_of", read)
    assert not may_report(secret)


def test_a_change_that_is_rolled_back_forgets_nothing(secret: str) -> None:
    with transaction.atomic():
        tokens.revoke(AuthToken.objects.get())
        transaction.set_rollback(True)
    assert token_cache.cache.get(secret) is not None
