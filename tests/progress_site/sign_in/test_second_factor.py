"""Second factors: roles that need one, sessions without one, stored secrets, and their removal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.models import AuthToken

from jobs.live.principals import Principal, accounts_of
from jobs.models import Activity
from progress_site.sign_in.factors import FactorAdapter
from tests.progress_site.sign_in.conftest import PASSWORD

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SET_UP = "/account/factors/"


def signed_in(name: str = "olga", *, address: str = "127.0.0.1") -> Client:
    """Return a browser that has given the password."""
    client = Client(REMOTE_ADDR=address)
    client.post("/admin/login/", {"username": name, "password": PASSWORD, "next": "/admin/glossary/"})
    return client


def code(offset: int = 0) -> str:
    """Return the code of this half minute, or of one so many before or after it."""
    return format_hotp_value(hotp_value(SECRET, int(time.time()) // 30 + offset))


def add_app(account: User) -> Authenticator:
    """Give the account an authenticator app."""
    made: Authenticator = TOTP.activate(account, SECRET).instance
    return made


def principal_of(client: Client) -> Principal:
    """Return the principal of the browser's websocket."""
    return Principal(token=None, session_key=client.session.session_key)


def test_without_the_setting_nothing_is_asked_and_no_page_queries_factors(lead: User) -> None:
    client = signed_in()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get("/admin/glossary/").status_code == 200
    assert not [query["sql"] for query in queries if "mfa_" in query["sql"] or "socialaccount" in query["sql"]]


def test_a_session_without_a_factor_reaches_only_its_set_up(lead: User, settings: Any) -> None:
    settings.SECOND_FACTOR_ROLES = ("lead",)
    client = signed_in()
    page = client.get("/admin/glossary/")
    assert (page.status_code, page.headers["Location"]) == (302, SET_UP)
    call = client.get("/api/v1/jobs", headers={"Authorization": "Basic bm9uZTpub25l"})
    assert (call.status_code, "second factor" in call.json()["detail"]) == (403, True)
    assert client.get(SET_UP).status_code == 200
    assert principal_of(client) not in accounts_of([principal_of(client)])
    assert client.post("/admin/logout/").status_code == 200


def test_a_token_needs_no_factor(lead: User, settings: Any) -> None:
    settings.SECOND_FACTOR_ROLES = ("lead",)
    token = AuthToken.objects.create(lead)[1]
    assert Client().get("/api/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("roles", "superuser", "asked"),
    [(("lead",), False, True), (("operator",), False, False), (("superuser",), True, True), (("lead",), True, False)],
)
def test_the_roles_of_the_setting_need_one(
    lead: User, settings: Any, roles: tuple[str, ...], superuser: bool, asked: bool
) -> None:
    settings.SECOND_FACTOR_ROLES = roles
    User.objects.filter(pk=lead.pk).update(is_superuser=superuser)
    assert signed_in().get("/admin/glossary/").status_code == (302 if asked else 200)


def test_a_role_that_comes_later_asks_at_the_next_page(settings: Any) -> None:
    settings.SECOND_FACTOR_ROLES = ("lead",)
    vera = User.objects.create_user("vera", password=PASSWORD, is_staff=True)
    client = signed_in("vera")
    assert client.get("/admin/glossary/").status_code == 200
    vera.groups.add(Group.objects.get(name="lead"))
    assert client.get("/admin/glossary/").status_code == 302


def test_another_session_of_an_account_with_a_factor_gives_its_code_and_goes_on(lead: User, settings: Any) -> None:
    client = signed_in()
    settings.SECOND_FACTOR_ROLES = ("lead",)
    add_app(lead)
    asked = client.get("/admin/glossary/")
    assert asked.headers["Location"] == "/account/confirm/code/?next=%2Fadmin%2Fglossary%2F"
    answered = client.post("/account/confirm/code/", {"code": code(), "next": "/admin/glossary/"})
    assert answered.headers["Location"] == "/admin/glossary/"
    assert client.get("/admin/glossary/").status_code == 200
    assert principal_of(client) in accounts_of([principal_of(client)])


def test_the_password_alone_is_no_session(lead: User) -> None:
    add_app(lead)
    client = signed_in()
    assert client.get("/admin/glossary/").status_code == 302
    answered = client.post("/account/code/", {"code": code()})
    assert answered.headers["Location"] == "/admin/glossary/"
    assert client.get("/admin/glossary/").status_code == 200


def test_a_code_is_accepted_once(lead: User) -> None:
    add_app(lead)
    given = code()
    assert signed_in().post("/account/code/", {"code": given}).status_code == 302
    assert signed_in().post("/account/code/", {"code": given}).status_code == 200


def test_wrong_codes_and_wrong_passwords_have_one_counter(lead: User) -> None:
    add_app(lead)
    client = signed_in()
    for _ in range(5):
        client.post("/account/code/", {"code": "000000"})
    wrong = {"username": "olga", "password": "wrong", "next": "/admin/"}
    answers = [Client().post("/admin/login/", wrong).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    assert client.post("/account/code/", {"code": code()}).status_code == 429


def test_a_change_of_factors_asks_again_after_some_minutes(lead: User) -> None:
    client = signed_in()
    assert client.get(f"{SET_UP}app/add/").status_code == 200
    session = client.session
    for entry in session["account_authentication_methods"]:
        entry["at"] -= 3600
    session.save()
    asked = client.get(f"{SET_UP}app/add/")
    assert asked.headers["Location"] == "/account/confirm/?next=%2Faccount%2Ffactors%2Fapp%2Fadd%2F"
    assert client.post("/account/confirm/", {"password": "wrong", "next": SET_UP}).status_code == 200
    assert client.post("/account/confirm/", {"password": PASSWORD, "next": SET_UP}).status_code == 302
    assert client.get(f"{SET_UP}app/add/").status_code == 200


def test_an_account_of_the_provider_confirms_itself_there(lead: User, company: Callable[..., Any]) -> None:
    company()
    lead.set_unusable_password()
    lead.save()
    client = Client()
    client.force_login(lead, backend="progress_site.sign_in.backends.CompanyBackend")
    assert client.get(f"{SET_UP}app/add/").headers["Location"].startswith("/account/company/?next=")


def test_the_last_factor_of_a_role_that_needs_one_stays(lead: User, settings: Any) -> None:
    app = add_app(lead)
    assert FactorAdapter().can_delete_authenticator(app)
    settings.SECOND_FACTOR_ROLES = ("lead",)
    assert not FactorAdapter().can_delete_authenticator(app)


def test_secrets_are_stored_encrypted_and_another_key_accepts_no_code(lead: User, settings: Any) -> None:
    app = add_app(lead)
    assert SECRET not in str(app.data)
    assert app.wrap().validate_code(code())
    settings.SECRET_KEY = "another-key-of-this-site-0123456789-abcdef"
    assert not app.wrap().validate_code(code())


def test_a_command_removes_lost_factors(lead: User, capsys: pytest.CaptureFixture[str]) -> None:
    add_app(lead)
    call_command("remove_second_factors", "olga")
    assert capsys.readouterr().out == "Removed 1 second factors and recovery codes of olga.\n"
    assert signed_in().get("/admin/glossary/").status_code == 200
    assert LogEntry.objects.filter(change_message__startswith="second factor: 1 removed by the command").exists()
    with pytest.raises(CommandError):
        call_command("remove_second_factors", "unknown")


# --- the record -----------------------------------------------------------------------------------------


def test_every_step_of_a_sign_in_is_recorded(lead: User) -> None:
    wrong = {"username": "olga", "password": "wrong", "next": "/admin/"}
    for _ in range(11):
        Client().post("/admin/login/", wrong)
    said = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    assert said == [
        *["sign-in refused: Wrong password or not permitted, from 127.0.0.1."] * 9,
        "sign-in refused: Wrong password or not permitted, from 127.0.0.1. Sign-in from this address is now blocked.",
    ]


def test_an_unknown_name_is_recorded_without_its_text(lead: User, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.getLogger("axes.handlers.database"), "handle", logged.append)
    for typed in ("hunter2", "hunter\0two"):
        Client().post("/admin/login/", {"username": typed, "password": "wrong", "next": "/admin/"})
    for row in Activity.objects.all():
        assert (row.act, row.about, row.actor, row.target) == ("sign-in-refused", "sign-in", "unknown", "h…")
        assert row.detail == "No account has this name, from 127.0.0.1."
    assert Activity.objects.count() == 2
    lines = [record.getMessage() for record in logged]
    assert lines == ["AXES: New login failure by h… from 127.0.0.1. Created new record in the database."]
    assert not LogEntry.objects.exists()


def test_unknown_names_of_one_network_are_recorded_only_so_often(lead: User) -> None:
    for number in range(12):
        address = f"2001:db8::{number + 1:x}"
        Client(REMOTE_ADDR=address).post("/admin/login/", {"username": f"u{number}", "password": "wrong"})
    said = list(Activity.objects.order_by("pk").values_list("detail", flat=True))
    assert said[:9] == ["No account has this name, from 2001:db8::."] * 9
    assert said[9:] == ["No account has this name, from 2001:db8::. Further ones from there are only in the log."]
    Activity.objects.update(at=timezone.now() - timedelta(minutes=16))
    Client(REMOTE_ADDR="2001:db8::1").post("/admin/login/", {"username": "u20", "password": "wrong"})
    assert Activity.objects.count() == 11


# --- several processes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, -1])
def test_a_used_code_and_those_before_it_are_refused_by_every_process(lead: User, offset: int) -> None:
    add_app(lead)
    given, other = code(), code(offset)
    assert signed_in().post("/account/code/", {"code": given}).status_code == 302
    cache.clear()  # as another process
    assert signed_in().post("/account/code/", {"code": other}).status_code == 200


def test_a_code_that_confirms_is_used_too(lead: User) -> None:
    client = signed_in()
    add_app(lead)
    given = {"code": code(), "next": SET_UP}
    assert client.post("/account/confirm/code/", given).status_code == 302
    cache.clear()
    assert client.post("/account/confirm/code/", given).status_code == 200


def test_wrong_codes_from_all_addresses_lock_the_account_in_every_process(lead: User) -> None:
    add_app(lead)
    for number in range(10):
        cache.clear()
        client = signed_in(address=f"192.0.2.{number}")
        assert client.post("/account/code/", {"code": "000000"}).status_code == 200
    assert signed_in(address="192.0.2.99").post("/account/code/", {"code": code()}).status_code == 429
    Activity.objects.update(at=timezone.now() - timedelta(minutes=16))
    assert signed_in(address="192.0.2.99").post("/account/code/", {"code": code()}).status_code == 302
