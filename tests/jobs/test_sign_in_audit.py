"""Sign-ins in the activity."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Activity

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga() -> User:
    """An operator with a password."""
    return User.objects.create_user("olga", password="right", is_staff=True)


def attempt(client: Client, password: str, name: str = "olga") -> Any:
    """Try to sign in."""
    return client.post("/admin/login/", {"username": name, "password": password}, REMOTE_ADDR="192.0.2.7")


def rows() -> list[tuple[str, str, str]]:
    """Return what the activity has about sign-ins."""
    found = Activity.objects.filter(about="sign-in").order_by("pk")
    return [(row.act, row.actor, row.address) for row in found]


@pytest.mark.usefixtures("olga")
def test_a_sign_in_and_a_sign_out_are_rows_with_their_address(client: Client) -> None:
    attempt(client, "right")
    client.post("/admin/logout/", REMOTE_ADDR="192.0.2.7")
    assert rows() == [("sign-in", "olga", "192.0.2.7"), ("sign-out", "olga", "192.0.2.7")]


def test_a_refusal_names_no_account_that_acts_and_no_password(client: Client, olga: User) -> None:
    attempt(client, "hunter2")
    row = Activity.objects.get(about="sign-in")
    assert (row.act, row.account, row.actor) == ("sign-in-refused", None, "olga")
    assert "hunter2" not in str(row.__dict__)


def test_a_name_that_no_account_has_is_not_stored(client: Client) -> None:
    attempt(client, "olga", name="my-password")
    assert rows() == [("sign-in-refused", "(unknown name)", "192.0.2.7")]


@pytest.mark.usefixtures("olga")
def test_a_lock_is_one_row_and_attempts_during_it_are_none(client: Client) -> None:
    for _ in range(15):
        attempt(client, "wrong")
    acts = [act for act, _, _ in rows()]
    assert acts.count("sign-in-locked") == 1
    assert 9 <= acts.count("sign-in-refused") <= 10
