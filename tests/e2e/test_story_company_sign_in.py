"""Sign-in at the company's OpenID provider: roles from groups, sign-out, and the account for emergencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from jobs.models import Membership
from tests.e2e.conftest import PASSWORD, Complaints, make_account
from tests.e2e.rules import findings
from tests.jobs.live.server import LiveServer, serving
from tests.oidc.process import CLIENT_ID, CLIENT_SECRET, Provider

pytestmark = [pytest.mark.e2e, pytest.mark.oidc, pytest.mark.usefixtures("transactional_db")]
OLGA = {"name": "Olga Petrova", "preferred_username": "olga", "email": "olga@example.com", "email_verified": True}


@dataclass(frozen=True)
class Site:
    """A running site and its provider."""

    server: LiveServer
    provider: Provider
    url: str

    def knows(self, *groups: str, **more: Any) -> None:
        """Let the provider know Olga with these groups."""
        self.provider.set_accounts({"olga-4711": {**OLGA, "groups": list(groups), **more}})


@pytest.fixture(scope="module")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site without local sign-in, but for the account `rescue`."""
    provider = Provider(tmp_path_factory.mktemp("oidc"))
    environment = {
        "TEST_SIGN_IN": "1",
        "TEST_WATCHDOG_INTERVAL": "86400",
        "LOG_LEVEL": "ERROR",
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_NAME": "Example SSO",
        "OIDC_SCOPES": "openid profile email groups",
        "OIDC_ROLE_MAP": "ops=operator; leads=lead",
        "OIDC_PROJECT_MAP": "ops=ocr; leads=*; matter-1=matter-1",
        "OIDC_REFUSE_WITHOUT_ROLE": "on",
        "LOCAL_SIGN_IN": "off",
        "BREAK_GLASS_ACCOUNT": "rescue",
    }
    with serving(**environment) as server:
        url = f"http://localhost:{server.port}"
        with provider.serving(url):
            yield Site(server, provider, url)


@pytest.fixture
def browser_page(chromium: Browser, site: Site, complaints: Complaints) -> Iterator[Page]:
    """A browser without any session, here or at the provider."""
    context = chromium.new_context(base_url=site.url)
    page = context.new_page()
    complaints.listen(page)
    yield page
    context.close()


def sign_in(page: Page, *, name: str = "olga-4711", at: str = "/admin/") -> None:
    """Press the button of the company and type a name at the provider."""
    page.goto(at)
    page.get_by_role("link", name="Sign in with Example SSO").click()
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill("any")
    page.locator("button[type=submit]").click()


def log_of(account: User) -> list[str]:
    """Return the audit records of an account, oldest first."""
    return [entry.change_message for entry in LogEntry.objects.filter(user=account).order_by("pk")]


def roles() -> set[str]:
    """Return the roles of the account of Olga."""
    return set(User.objects.get(username="olga").groups.values_list("name", flat=True))


def test_an_operator_lands_on_the_page_that_was_asked_for_with_role_and_projects(
    site: Site, browser_page: Page, complaints: Complaints
) -> None:
    site.knows("ops", "matter-1", "cleaning")
    sign_in(browser_page, at="/admin/glossary/?q=lease")
    expect(browser_page.get_by_role("heading", name="Glossary")).to_be_visible()
    assert browser_page.url == f"{site.url}/admin/glossary/?q=lease"
    account = User.objects.get(username="olga")
    assert (account.email, account.is_superuser, account.has_usable_password()) == ("olga@example.com", False, False)
    assert roles() == {"operator"}
    assert set(Membership.objects.values_list("project", flat=True)) == {"ocr", "matter-1"}
    assert SocialAccount.objects.values_list("provider", "uid").get() == (site.provider.issuer, "olga-4711")
    [expires] = Session.objects.filter(expire_date__gt=timezone.now()).values_list("expire_date", flat=True)
    browser_page.goto("/admin/glossary/")
    assert Session.objects.get().expire_date == expires  # opening pages does not extend it
    assert log_of(account) == [
        "sign-in: Account made at the first sign-in through Example SSO.",
        "roles: operator, before none. From the groups of Example SSO.",
        "projects: matter-1, ocr, before all. From the groups of Example SSO.",
        "sign-in: Signed in through Example SSO from 127.0.0.1.",
    ]
    # Chromium looks for the icon and a font of the provider, which are not there.
    assert not [line for line in complaints if "Content Security Policy" in line]


def test_the_next_sign_in_loses_the_role_with_the_group_and_is_refused(site: Site, browser_page: Page) -> None:
    site.knows("leads", "ops")
    sign_in(browser_page)
    expect(browser_page.get_by_role("heading", name="Overview")).to_be_visible()
    assert (roles(), Membership.objects.count()) == ({"lead", "operator"}, 0)
    site.knows("ops")
    sign_out(browser_page)
    sign_in(browser_page)
    expect(browser_page.get_by_role("heading", name="Overview")).to_be_visible()
    assert (roles(), Membership.objects.get().project) == ({"operator"}, "ocr")
    site.knows()
    sign_out(browser_page)
    sign_in(browser_page)
    expect(browser_page.get_by_text("Your account has no role on this site.")).to_be_visible()
    assert roles() == set()
    browser_page.goto("/admin/")
    expect(browser_page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert log_of(User.objects.get(username="olga"))[-1].startswith("sign-in refused: Your account has no role")


def sign_out(page: Page) -> None:
    """Sign out here, and at the provider, which asks."""
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_equal_name_or_address_never_joins_a_local_account(site: Site, browser_page: Page) -> None:
    local = User.objects.create_superuser("olga", email="olga@example.com", password=PASSWORD)
    site.knows("ops")
    sign_in(browser_page)
    expect(browser_page.get_by_role("heading", name="Overview")).to_be_visible()
    linked = SocialAccount.objects.get().user
    assert linked != local
    assert linked.username.startswith("olga")
    assert not linked.is_superuser


def test_only_the_account_for_emergencies_signs_in_with_a_password(site: Site, browser_page: Page) -> None:
    make_account("olga", "lead")
    User.objects.create_superuser("rescue", password=PASSWORD)
    give_password(browser_page, "olga")
    expect(browser_page.get_by_text("Please enter the correct username and password")).to_be_visible()
    give_password(browser_page, "rescue")
    expect(browser_page.get_by_role("heading", name="Overview")).to_be_visible()


def give_password(page: Page, name: str) -> None:
    """Sign in with the form below the emergency account."""
    page.goto("/admin/")
    page.get_by_text("Emergency account").click()
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_who_cancels_at_the_provider_is_told_so(site: Site, browser_page: Page) -> None:
    site.knows("ops")
    browser_page.goto("/admin/")
    browser_page.get_by_role("link", name="Sign in with Example SSO").click()
    browser_page.get_by_role("link", name=re.compile("Cancel")).click()
    expect(browser_page.get_by_text("The sign-in was cancelled")).to_be_visible()


def test_the_pages_are_accessible(site: Site, browser_page: Page) -> None:
    browser_page.goto("/admin/login/")
    assert not findings(browser_page, "/admin/login/")
    assert not findings(browser_page, "/account/company/callback/")
