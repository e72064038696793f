"""Tokens on the pages: rotated and revoked with who and why, and when each was used last."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from jobs import tracking
from jobs.api import tokens
from jobs.change import Actor
from tests.factories import make_job

TOKENS = "/admin/knox/authtoken/"


def issued(account: str = "ocr-1", **fields: Any) -> tuple[AuthToken, str]:
    """A token and its secret."""
    known = set(AuthToken.objects.values_list("pk", flat=True))
    secret = tokens.issue(account, **fields)
    return AuthToken.objects.exclude(pk__in=known).get(), secret


def page_of(act: str, *found: AuthToken) -> str:
    """Return the page that rotates or revokes these."""
    return f"/admin/tokens/{act}/?{'&'.join(f'token={token.digest[:12]}' for token in found)}"


def status(secret: str) -> int:
    """Return the status of a call with this secret."""
    return Client().get("/api/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code


def logged() -> list[tuple[str, str]]:
    """Return the account and the message of each audit row, the oldest first."""
    rows = LogEntry.objects.order_by("pk").select_related("user")
    return [(row.user.username, row.change_message) for row in rows]


def test_a_rotated_token_has_a_new_secret_shown_once_and_the_old_one_ends_at_once(lead: Any) -> None:
    token, old = issued(roles=["worker", "viewer"], projects=["a"], days=30)
    AuthToken.objects.update(created=timezone.now() - timedelta(days=29))
    AuthToken.objects.update(expiry=timezone.now() + timedelta(days=1))
    page = lead.confirm(page_of("rotate", token), grace="0", reason="it was in a log")
    secret = page.root.find(id="secret")[0].text
    assert (status(old), status(secret)) == (401, 200)
    assert "no-store" in page.response.headers["Cache-Control"]
    new = AuthToken.objects.get()
    assert abs(new.expiry - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)
    account = User.objects.get(username="ocr-1")
    assert {group.name for group in account.groups.all()} == {"viewer", "worker"}
    assert [each.project for each in account.memberships.all()] == ["a"]
    assert secret not in lead.open(TOKENS).source
    assert (lead.account.username, "Rotated; the old secret ends at once. Reason: it was in a log") in logged()


def test_with_a_grace_both_secrets_work_for_a_day(lead: Any) -> None:
    token, old = issued()
    secret = lead.confirm(page_of("rotate", token), grace="24").root.find(id="secret")[0].text
    assert (status(old), status(secret)) == (200, 200)
    token.refresh_from_db()
    assert abs(token.expiry - timezone.now() - timedelta(hours=24)) < timedelta(minutes=1)


def test_a_grace_never_makes_a_token_live_longer(lead: Any) -> None:
    token, _ = issued()
    ends = timezone.now() + timedelta(hours=1)
    AuthToken.objects.update(expiry=ends)
    lead.confirm(page_of("rotate", token), grace="24")
    assert AuthToken.objects.get(pk=token.pk).expiry == ends


def test_the_confirmation_names_the_workers_of_the_account(lead: Any) -> None:
    token, secret = issued(projects=["a"])
    account = User.objects.get(username="ocr-1")
    tracking.heartbeat(make_job(items=1), worker="host-7", by=Actor(account=account, name="host-7"))
    for act in ("rotate", "revoke"):
        assert "Last used not yet recorded" in lead.open(page_of(act, token)).text
    status(secret)
    for act in ("rotate", "revoke"):
        text = lead.open(page_of(act, token)).text
        assert f"{token.digest[:12]} of ocr-1" in text
        assert "Permissions worker; a" in text
        assert "Last used not" not in text
        assert "host-7" in text


def test_tokens_are_revoked_after_a_question_with_who_and_why(lead: Any) -> None:
    found = [issued(name) for name in ("ocr-1", "ocr-2", "ocr-3")]
    asked = page_of("revoke", found[0][0], found[1][0])
    assert [status(secret) for _, secret in found] == [200, 200, 200]
    assert "requests with these tokens are refused (401)" in lead.open(asked).text
    assert AuthToken.objects.count() == 3
    assert "2 tokens revoked." in lead.confirm(asked, reason="the host is gone").text
    assert [status(secret) for _, secret in found] == [401, 401, 200]
    assert logged() == [(lead.account.username, "Revoked. Reason: the host is gone")] * 2


def test_issuing_takes_several_roles_and_is_logged_with_the_reason(lead: Any) -> None:
    lead.confirm("/admin/tokens/issue/", account="ocr-1", role=["worker", "operator"], reason="new host")
    assert {group.name for group in User.objects.get(username="ocr-1").groups.all()} == {"operator", "worker"}
    assert logged() == [(lead.account.username, "Issued. Reason: new host")]


def test_the_ticked_tokens_of_the_list_are_revoked_together(lead: Any) -> None:
    found = [issued(name)[0] for name in ("ocr-1", "ocr-2")]
    ticked = {"action": "revoke", "_selected_action": [token.pk for token in found]}
    response = lead.client.post(TOKENS, ticked)
    assert "Revoke 2 tokens" in lead.open(response.url).text


@pytest.mark.parametrize("act", ["rotate", "revoke"])
def test_tokens_are_ended_by_those_who_manage_them_and_within_their_reach(browser: Any, act: str) -> None:
    token, secret = issued()
    inside, _ = issued("of-a", projects=["a"])
    for who, code in ((browser("operator"), 403), (browser("lead", projects=["a"]), 404)):
        who.open(page_of(act, token), status=code)
        assert who.client.post(page_of(act, token), {"grace": "0"}).status_code == code
    assert status(secret) == 200
    browser("lead", projects=["a"]).open(page_of(act, inside))


def test_no_account_gets_the_secret_of_an_account_that_may_more(browser: Any) -> None:
    token, _ = issued("strong", roles=["lead"])
    clerk = browser("")
    clerk.account.user_permissions.set(tokens_permission())
    page = clerk.confirm(page_of("rotate", token), grace="0")
    assert "You cannot grant the permission" in page.text
    assert AuthToken.objects.get() == token


def tokens_permission() -> Any:
    """Only to manage tokens."""
    return Permission.objects.filter(codename="manage_tokens")


def test_a_token_that_has_ended_meanwhile_is_said(lead: Any) -> None:
    token, _ = issued()
    asked = lead.open(page_of("rotate", token))
    AuthToken.objects.all().delete()
    response = lead.client.post(page_of("rotate", token), {**asked.hidden(), "grace": "0"})
    assert response.status_code == 404


@pytest.mark.parametrize("wrong", ["", "?token=", "?token=abc", "?token=%00%00%00%00%00%00%00%00%00%00%00%00"])
def test_an_address_that_names_no_token_is_not_found(lead: Any, wrong: str) -> None:
    issued()
    for act in ("rotate", "revoke"):
        lead.open(f"/admin/tokens/{act}/{wrong}", status=404)


def test_the_list_says_whose_what_for_until_when_and_when_used(lead: Any) -> None:
    _, secret = issued(roles=["worker"], projects=["b", "a"], days=2)
    issued("ocr-2")
    status(secret)
    rows = [row.text for row in lead.open(TOKENS).root.find("tr") if "ocr-" in row.text]
    assert "ocr-2 worker every project" in rows[0]
    assert "no expiry never" in rows[0]
    assert "ocr-1 worker a, b" in rows[1]
    assert " s ago" in rows[1]


@pytest.mark.parametrize("many", [1, 8])
def test_the_queries_of_the_list_do_not_grow(lead: Any, django_assert_max_num_queries: Any, many: int) -> None:
    for place in range(many):
        status(issued(f"ocr-{place}")[1])
    lead.open(TOKENS)
    with django_assert_max_num_queries(12):
        lead.open(TOKENS)
