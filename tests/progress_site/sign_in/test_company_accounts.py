"""Accounts of the provider: their link, roles and memberships, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client, RequestFactory

from jobs.models import Membership
from progress_site.sign_in.adapters import CompanyAdapter
from progress_site.sign_in.provider import CompanyLogin
from tests.progress_site.sign_in.conftest import ISSUER, PASSWORD

pytestmark = pytest.mark.django_db
START, CALLBACK = "/account/company/", "/account/company/callback/"


def request_of() -> Any:
    """Return a request of a browser without a session."""
    request = RequestFactory().get(CALLBACK)
    request.session = SessionStore()
    request.user = AnonymousUser()
    return request


def arrive(*groups: str, subject: str = "4711", **claims: Any) -> User:
    """Arrive from the provider with these checked claims; return the account."""
    request = request_of()
    given = {"sub": subject, "preferred_username": "olga", "groups": list(groups), **claims}
    with context.request_context(request):
        login: SocialLogin = (
            CompanyLogin(request).get_provider().sociallogin_from_response(request, {"userinfo": given})
        )
        login.claims = given
        login.lookup()
        CompanyAdapter(request).pre_social_login(request, login)
    account: User = login.user
    return account


def refused(*groups: str, **claims: Any) -> str:
    """Return the page of a refusal."""
    with pytest.raises(ImmediateHttpResponse) as refusal:
        arrive(*groups, **claims)
    assert refusal.value.response.status_code == 403
    page: str = refusal.value.response.content.decode()
    return page


def roles(account: User) -> set[str]:
    """Return the groups of an account."""
    return set(account.groups.values_list("name", flat=True))


def test_the_same_subject_is_the_same_account_whatever_its_name_and_address_say(company: Callable[..., Any]) -> None:
    company()
    first = arrive("ops", email="olga@example.com", email_verified=True)
    again = arrive("ops", preferred_username="other", email="other@example.com", email_verified=True)
    assert again == first
    assert arrive("ops", subject="4712") != first
    assert SocialAccount.objects.filter(provider=ISSUER).count() == 2
    assert not EmailAddress.objects.exists()


def test_another_issuer_with_the_same_subject_is_another_account(company: Callable[..., Any]) -> None:
    company()
    first = arrive("ops")
    company(issuer="https://other.example.com")
    assert arrive("ops") != first


def test_an_unverified_address_is_not_kept(company: Callable[..., Any]) -> None:
    company()
    assert arrive("ops", email="boss@example.com", email_verified=False).email == ""


def test_the_name_of_the_account_for_emergencies_is_not_given_away(company: Callable[..., Any], settings: Any) -> None:
    company()
    settings.ACCOUNT_USERNAME_BLACKLIST = ["rescue"]
    assert arrive("ops", preferred_username="rescue").username != "rescue"


def test_a_role_that_an_administrator_gave_goes_and_other_groups_stay(company: Callable[..., Any]) -> None:
    company()
    account = arrive("ops")
    account.groups.add(Group.objects.get(name="lead"), Group.objects.get(name="worker"))
    arrive("ops")
    assert roles(account) == {"operator", "worker"}


def test_without_a_map_the_roles_stay_as_an_administrator_set_them(company: Callable[..., Any]) -> None:
    company(role_map=())
    account = arrive("ops")
    account.groups.add(Group.objects.get(name="lead"))
    Membership.objects.create(user=account, project="ocr")
    arrive("ops")
    assert (roles(account), account.memberships.count()) == ({"lead"}, 1)


def test_a_lost_project_takes_the_roles_and_leaves_the_limit(company: Callable[..., Any]) -> None:
    company(project_map=(("ops-ocr", "ocr"),))
    account = arrive("ops", "ops-ocr")
    assert (roles(account), account.memberships.get().project) == ({"operator"}, "ocr")
    arrive("ops")
    assert (roles(account), account.memberships.get().project) == (set(), "ocr")


def test_an_equal_grant_leaves_no_record(company: Callable[..., Any]) -> None:
    company()
    arrive("ops")
    before = LogEntry.objects.count()
    arrive("ops")
    assert LogEntry.objects.count() == before


def test_a_superuser_is_never_signed_in_by_the_provider(company: Callable[..., Any]) -> None:
    company()
    account = arrive("ops")
    User.objects.filter(pk=account.pk).update(is_superuser=True)
    assert "A superuser signs in with a password" in refused("ops")


def test_an_account_that_was_switched_off_stays_so(company: Callable[..., Any]) -> None:
    company()
    account = arrive("ops")
    User.objects.filter(pk=account.pk).update(is_active=False)
    assert "switched off" in refused("ops")
    assert LogEntry.objects.filter(user=account, change_message__startswith="sign-in refused").exists()


def test_an_account_without_a_role_is_refused_where_the_setting_says_so(company: Callable[..., Any]) -> None:
    company()
    assert roles(arrive("cleaning")) == set()
    company(refuse_without_role=True)
    assert "has no role on this site" in refused("cleaning")


# --- pages ----------------------------------------------------------------------------------------------


def test_the_sign_in_page_shows_both_ways_and_keeps_the_page_that_was_asked_for(company: Callable[..., Any]) -> None:
    plain = Client().get("/admin/login/?next=/admin/glossary/").content.decode()
    assert "company" not in plain
    company()
    both = Client().get("/admin/login/?next=/admin/glossary/").content.decode()
    assert "Sign in with Example SSO" in both
    assert 'href="/account/company/?next=%2Fadmin%2Fglossary%2F"' in both
    assert 'name="password"' in both


def test_a_provider_that_is_down_is_a_page_that_says_so(company: Callable[..., Any]) -> None:
    company(issuer="http://127.0.0.1:9")
    answer = Client().get(START)
    assert (answer.status_code, "Example SSO does not answer" in answer.content.decode()) == (503, True)


def test_a_flood_of_begun_sign_ins_is_refused(company: Callable[..., Any]) -> None:
    company(issuer="http://127.0.0.1:9")
    answers = [Client().get(START).status_code for _ in range(61)]
    assert (answers[59], answers[60]) == (503, 429)


def test_an_answer_that_nobody_asked_for_is_refused(company: Callable[..., Any]) -> None:
    company()
    answer = Client().get(f"{CALLBACK}?code=stolen&state=guessed")
    assert (answer.status_code, "did not succeed" in answer.content.decode()) == (403, True)


def test_without_local_sign_in_only_one_account_has_a_password(company: Callable[..., Any], settings: Any) -> None:
    company()
    settings.LOCAL_SIGN_IN, settings.BREAK_GLASS_ACCOUNT = False, "rescue"
    settings.AUTHENTICATION_BACKENDS = [
        "axes.backends.AxesStandaloneBackend",
        "progress_site.sign_in.backends.BreakGlassBackend",
    ]
    for name in ("rescue", "olga"):
        User.objects.create_user(name, password=PASSWORD, is_staff=True)
    given = {"password": PASSWORD, "next": "/admin/"}
    assert Client().post("/admin/login/", {"username": "olga", **given}).status_code == 200
    assert Client().post("/admin/login/", {"username": "rescue", **given}).status_code == 302
