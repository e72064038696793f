"""Cookies, headers and the age of a session."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client

from progress_site import session_security
from tests.factories import make_job
from tests.progress_site.test_settings import ROOT, SECRET, start

HOUR = 3600
NAVIGATE = {"Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def olga(db: None) -> User:
    """A lead."""
    user = User.objects.create_user("olga", password="right-password", is_staff=True)
    user.groups.add(Group.objects.get(name="lead"))
    return user


@pytest.fixture
def browser(olga: User) -> Client:
    """Signed in through the form."""
    client = Client()
    answer = client.post("/admin/login/", {"username": "olga", "password": "right-password", "next": "/admin/"})
    assert answer.status_code == 302
    return client


def test_a_deployment_with_https_passes_the_checks_of_django() -> None:
    around = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    given = {"ENV_FILE": "", "SECRET_KEY": f"{SECRET}-and-more", "HTTPS": "on", "ALLOWED_HOSTS": "progress.example.com"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**around, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "plain", "secure"),
    [
        ("SESSION_COOKIE_NAME", "sessionid", "__Host-sessionid"),
        ("CSRF_COOKIE_NAME", "csrftoken", "__Host-csrftoken"),
        ("SESSION_COOKIE_SECURE", "False", "True"),
        ("SECURE_HSTS_SECONDS", "0", "86400"),
        ("SECURE_HSTS_INCLUDE_SUBDOMAINS", "False", "False"),
        ("SECURE_HSTS_PRELOAD", "False", "False"),
    ],
)
def test_with_https_cookies_are_bound_to_this_host(name: str, plain: str, secure: str) -> None:
    assert start(name, HTTPS="off").stdout.strip() == plain
    assert start(name, HTTPS="on").stdout.strip() == secure


def test_what_concerns_other_sites_of_the_domain_is_on_only_where_it_is_asked_for() -> None:
    asked = {"HTTPS": "on", "HSTS_SECONDS": "31536000", "HSTS_INCLUDE_SUBDOMAINS": "on", "HSTS_PRELOAD": "on"}
    for name, value in (("SECONDS", "31536000"), ("INCLUDE_SUBDOMAINS", "True"), ("PRELOAD", "True")):
        assert start(f"SECURE_HSTS_{name}", **asked).stdout.strip() == value
    assert start("SECURE_HSTS_PRELOAD", **{**asked, "HTTPS": "off"}).stdout.strip() == "False"


@pytest.mark.parametrize(("https", "name"), [("off", "b-sessionid"), ("on", "__Host-b-sessionid")])
def test_two_sites_on_one_host_keep_their_cookies_apart(https: str, name: str) -> None:
    assert start("SESSION_COOKIE_NAME", COOKIE_PREFIX="b-", HTTPS=https).stdout.strip() == name
    csrf = name.replace("sessionid", "csrftoken")
    assert start("CSRF_COOKIE_NAME", COOKIE_PREFIX="b-", HTTPS=https).stdout.strip() == csrf


@pytest.mark.parametrize("prefix", ["a b", "a=b", "a;b", "ä", "a" * 51])
def test_a_prefix_that_is_no_part_of_a_cookie_s_name_stops_the_start(prefix: str) -> None:
    assert "COOKIE_PREFIX" in start(COOKIE_PREFIX=prefix).stderr.splitlines()[-1]


def test_a_message_to_an_operator_is_in_no_cookie_of_its_own(browser: Client) -> None:
    """There it would meet that of another site on this host."""
    job = make_job(items=1)
    browser.post(f"/admin/jobs/job/{job.pk}/badge/", {"series": str(job.badge_series)})
    assert set(browser.cookies) <= {"sessionid", "csrftoken"}


@pytest.mark.parametrize("given", ["10.0.0.0/33", "proxy.example.com", "10.0.0.5/8"])
def test_a_proxy_is_an_address_or_a_network(given: str) -> None:
    refused = start(TRUSTED_PROXIES=given)
    assert refused.returncode != 0
    assert "TRUSTED_PROXIES" in refused.stderr.splitlines()[-1]


def test_the_cookie_of_a_session_is_out_of_reach_of_scripts_and_other_sites(browser: Client) -> None:
    cookie = browser.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
    assert int(cookie["max-age"]) == 12 * HOUR


def age(browser: Client, *, by: int) -> None:
    """Let the session have been extended so long ago."""
    session = browser.session
    session[session_security.EXTENDED_AT] = int(time.time()) - by
    session.save()


def test_a_page_that_is_opened_extends_the_session(browser: Client) -> None:
    age(browser, by=HOUR)
    answer = browser.get("/admin/", headers=NAVIGATE)
    assert int(answer.cookies["sessionid"]["max-age"]) == 12 * HOUR


@pytest.mark.parametrize(
    ("address", "headers"), [("/admin/", {"Sec-Fetch-Mode": "cors"}), ("/api/v1/jobs", {"Sec-Fetch-Mode": "cors"})]
)
def test_what_a_page_asks_for_by_itself_does_not(browser: Client, address: str, headers: dict[str, str]) -> None:
    age(browser, by=HOUR)
    assert "sessionid" not in browser.get(address, headers=headers).cookies


def test_a_session_is_extended_once_in_ten_minutes_at_most(browser: Client) -> None:
    age(browser, by=590)
    assert "sessionid" not in browser.get("/admin/", headers=NAVIGATE).cookies


def test_there_is_no_session_before_signing_in(db: None) -> None:
    assert "sessionid" not in Client().get("/admin/login/", headers=NAVIGATE).cookies
    assert not Session.objects.exists()


def test_a_new_password_ends_the_other_sessions_of_the_account(browser: Client, olga: User) -> None:
    other = Client()
    other.force_login(olga)
    new = {"old_password": "right-password", "new_password1": "n3w-pass-word", "new_password2": "n3w-pass-word"}
    assert browser.post("/admin/password_change/", new).status_code == 302
    assert browser.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302


def test_signing_out_takes_a_form_and_ends_the_session(browser: Client) -> None:
    assert browser.get("/admin/logout/").status_code == 405
    key = browser.cookies["sessionid"].value
    page = browser.post("/admin/logout/")
    assert "You are signed out" in page.content.decode()
    stolen = Client()
    stolen.cookies["sessionid"] = key
    assert stolen.get("/admin/").status_code == 302
    assert not Session.objects.exists()


def test_signing_in_replaces_a_planted_session_key(olga: User) -> None:
    laid = SessionStore()
    laid["laid"] = "down"
    laid.create()
    client = Client()
    client.cookies["sessionid"] = str(laid.session_key)
    client.post("/admin/login/", {"username": "olga", "password": "right-password", "next": "/admin/"})
    assert client.cookies["sessionid"].value != laid.session_key
    assert not Session.objects.filter(pk=laid.session_key).exists()


@pytest.mark.parametrize(
    "address", ["/admin/", "/admin/jobs/job/", "/admin/jobs/job/{job}/", "/admin/nothing/", "/api/v1/jobs"]
)
def test_answers_are_not_kept_by_others_and_pages_use_no_feature_of_the_machine(browser: Client, address: str) -> None:
    headers = browser.get(address.format(job=make_job(items=1).pk)).headers
    kept = headers["Cache-Control"]
    assert "private" in kept
    assert ("no-cache" if address.startswith("/api/") else "no-store") in kept
    assert headers["Referrer-Policy"] == headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "camera=()" in headers["Permissions-Policy"]
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_login_does_not_lead_to_another_site(olga: User) -> None:
    given = {"username": "olga", "password": "right-password", "next": "https://evil.example/"}
    assert Client().post("/admin/login/", given).headers["Location"] == "/admin/"


def test_csrf_refusals_have_our_clothes_and_do_nothing(olga: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    job = make_job(items=1)
    page: Any = client.post(f"/admin/jobs/job/{job.pk}/cancel/", {"reason": "x"})
    assert page.status_code == 403
    assert "Allow cookies" in page.content.decode()
    client.cookies["csrftoken"] = "a" * 32
    page = client.post(f"/admin/jobs/job/{job.pk}/cancel/", {"reason": "x", "csrfmiddlewaretoken": "b" * 32})
    assert (page.status_code, "You signed in or out after this page was loaded." in page.content.decode()) == (
        403,
        True,
    )
    assert 'href="/admin/jobs/job/' in page.content.decode()
    job.refresh_from_db()
    assert job.status == "pending"
