"""A role that needs a second factor: set-up, code, recovery code, security key, and lock."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import PASSWORD, Complaints, make_account
from tests.e2e.rules import findings
from tests.jobs.live.server import LiveServer, serving

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("transactional_db")]
WRONG_CODES = 10


@pytest.fixture(scope="module")
def site(django_db_setup: None) -> Iterator[LiveServer]:
    """A site where leads and superusers need a second factor."""
    given = {"TEST_SIGN_IN": "1", "SECOND_FACTOR_ROLES": "lead,superuser"}
    with serving(LOG_LEVEL="ERROR", TEST_WATCHDOG_INTERVAL="86400", **given) as server:
        yield server


@pytest.fixture
def factor_context(chromium: Browser, site: LiveServer) -> Iterator[BrowserContext]:
    """A browser that is not signed in. Security keys need a name of the site, not an address."""
    context = chromium.new_context(base_url=f"http://localhost:{site.port}")
    yield context
    context.close()


@pytest.fixture
def factor_page(factor_context: BrowserContext, complaints: Complaints) -> Page:
    """A page of this browser."""
    page = factor_context.new_page()
    complaints.listen(page)
    return page


@pytest.fixture
def lead(transactional_db: None) -> User:
    """A lead with a password."""
    return make_account("olga", "lead")


def give_password(page: Page, name: str = "olga") -> None:
    """Sign in as far as the password goes."""
    page.goto("/admin/glossary/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def sign_out(page: Page) -> None:
    """End the session."""
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Signed out")).to_be_visible()


def code_of(secret: str) -> str:
    """Return the code that an authenticator app shows for this secret; wait for a new one near the end of its time."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def set_up_app(page: Page) -> tuple[str, list[str]]:
    """Set up an app; return its secret and the recovery codes."""
    page.get_by_role("link", name="Set up an app…").click()
    secret = page.locator("#secret").inner_text()
    page.get_by_label("Enter the code that the app shows").fill(code_of(secret))
    page.get_by_role("button", name="Set up the app").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    return secret, page.locator("#codes").inner_text().split()


def give_code(page: Page, code: str) -> None:
    """Type a code on the page that asks for one."""
    page.get_by_label("Code of your authenticator app, or a recovery code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_lead_sets_up_an_app_before_any_other_page_and_signs_in_with_its_code(
    factor_page: Page, lead: User, complaints: Complaints
) -> None:
    give_password(factor_page)
    for address in ("/admin/", "/admin/glossary/", "/admin/jobs/job/"):
        factor_page.goto(address)
        expect(factor_page.get_by_text("Your role needs a second factor.")).to_be_visible()
    secret, codes = set_up_app(factor_page)
    factor_page.goto("/admin/glossary/")
    expect(factor_page.get_by_role("heading", name="Glossary")).to_be_visible()
    sign_out(factor_page)
    give_password(factor_page)
    give_code(factor_page, code_of(secret))
    expect(factor_page.get_by_role("heading", name="Glossary")).to_be_visible()
    sign_out(factor_page)
    give_password(factor_page)
    give_code(factor_page, codes[0])
    expect(factor_page.get_by_role("heading", name="Glossary")).to_be_visible()
    sign_out(factor_page)
    give_password(factor_page)
    give_code(factor_page, codes[0])
    expect(factor_page.get_by_text("This is not accepted.")).to_be_visible()
    assert secret not in str(list(Authenticator.objects.values_list("data", flat=True)))
    said = [
        re.sub(" from .*", "", text)
        for text in LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    ]
    assert said[:5] == [
        "sign-in: Signed in with a password",
        "second factor: Authenticator app added",
        "sign-out: Signed out",
        "sign-in: Signed in with a password and a second factor",
        "sign-out: Signed out",
    ]
    assert not complaints


def test_a_viewer_needs_none_and_may_have_one(factor_page: Page) -> None:
    make_account("vera", "viewer")
    give_password(factor_page, "vera")
    expect(factor_page.get_by_role("heading", name="Glossary")).to_be_visible()
    factor_page.goto("/account/factors/")
    expect(factor_page.get_by_text("Your role needs a second factor.")).not_to_be_visible()
    set_up_app(factor_page)
    sign_out(factor_page)
    give_password(factor_page, "vera")
    expect(factor_page.get_by_role("heading", name="Second factor")).to_be_visible()
    factor_page.goto("/admin/")
    expect(factor_page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_security_key_is_added_and_used(
    factor_context: BrowserContext, factor_page: Page, lead: User, complaints: Complaints
) -> None:
    devtools = factor_context.new_cdp_session(factor_page)
    devtools.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "usb", "automaticPresenceSimulation": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": key})
    give_password(factor_page)
    factor_page.get_by_role("link", name="Add a key…").click()
    factor_page.get_by_label("Name of the key").fill("Blue key")
    factor_page.get_by_role("button", name="Add the key").click()
    expect(factor_page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    factor_page.goto("/account/factors/")
    expect(factor_page.get_by_text("Blue key", exact=True)).to_be_visible()
    factor_page.get_by_role("link", name="Remove Blue key…").click()
    factor_page.get_by_role("button", name="Remove the key").click()
    expect(factor_page.get_by_text("Add another one first.")).to_be_visible()
    factor_page.goto("/admin/")
    sign_out(factor_page)
    give_password(factor_page)
    factor_page.get_by_role("button", name="Use a security key").click()
    expect(factor_page.get_by_role("heading", name="Glossary")).to_be_visible()
    assert not [line for line in complaints if "403" not in line]


def test_wrong_codes_lock_like_wrong_passwords(factor_page: Page, lead: User) -> None:
    give_password(factor_page)
    secret, _ = set_up_app(factor_page)
    sign_out(factor_page)
    give_password(factor_page)
    for _ in range(WRONG_CODES):
        give_code(factor_page, base64.b16encode(b"nonsense").decode())
    expect(factor_page.get_by_role("heading", name="Too many wrong passwords")).to_be_visible()
    factor_page.goto("/account/code/")
    give_code(factor_page, code_of(secret))
    expect(factor_page.get_by_role("heading", name="Too many wrong passwords")).to_be_visible()
    factor_page.goto("/admin/")
    expect(factor_page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert (
        LogEntry.objects.filter(change_message__startswith="sign-in refused: Wrong second factor").count()
        == WRONG_CODES
    )
    assert LogEntry.objects.order_by("-pk")[0].change_message.endswith("Sign-in from this address is now blocked.")


def test_the_pages_are_accessible(factor_page: Page, lead: User) -> None:
    give_password(factor_page)
    found = findings(factor_page, "/account/factors/")
    found += findings(factor_page, "/account/factors/app/add/")
    found += findings(factor_page, "/account/factors/keys/add/")
    factor_page.goto("/account/factors/")
    set_up_app(factor_page)
    for page in ("", "recovery-codes/", "recovery-codes/new/", "app/remove/"):
        found += findings(factor_page, f"/account/factors/{page}")
    sign_out(factor_page)
    give_password(factor_page)
    found += findings(factor_page, "/account/code/")
    assert not found
