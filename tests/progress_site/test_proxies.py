"""Behind a proxy: probes by address, and refusals that name the cause and the setting to change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from structlog.testing import capture_logs

from progress_site import proxies
from progress_site.health import PROBES
from tests.progress_site.test_settings import ROOT, start

PUBLIC = "progress.example.com"
LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def _say_it_again() -> None:
    """Reset the logs that appear once a minute."""
    proxies._log_host.cache_clear()
    proxies._log_origin.cache_clear()


@pytest.mark.django_db
@pytest.mark.parametrize("address", PROBES)
@pytest.mark.parametrize("host", ["10.0.0.7:8000", "[fd00::7]:8000", "10-0-0-7.pods.cluster.local", "a b", ""])
def test_a_probe_is_answered_whatever_its_host_is(client: Client, address: str, host: str) -> None:
    assert client.get(address, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("address", ["/admin/login/", "/api/v1/schema", "/healthz/", "/healthz/../admin/login/"])
def test_no_other_address_is_answered_for_a_host_that_is_not_served(client: Client, address: str) -> None:
    assert client.get(address, headers={"host": "10.0.0.7"}).status_code == 400


@pytest.mark.parametrize("headers", [[(b"host", b"10.0.0.7:8000")], []], ids=["an address", "no host"])
async def test_the_application_of_every_server_answers_its_probe(headers: list[tuple[bytes, bytes]]) -> None:
    from progress_site.asgi import application

    scope = {"type": "http", "method": "GET", "path": "/healthz", "query_string": b"", "headers": headers}
    asked = ApplicationCommunicator(application, scope)
    await asked.send_input({"type": "http.request"})
    assert (await asked.receive_output(timeout=10))["status"] == 200


def test_the_health_check_of_the_image_asks_for_a_probe() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert any(f"http://127.0.0.1:8000{address}'" in text for address in PROBES)


@pytest.mark.parametrize("address", ["/admin/login/", "/api/v1/jobs"])
def test_a_refused_host_is_named_with_the_setting_in_the_answer_and_once_in_the_log(
    client: Client, address: str
) -> None:
    with capture_logs() as lines:
        answers = [client.get(address, headers={"host": PUBLIC}) for _ in range(3)]
    text = answers[0].content.decode()
    assert PUBLIC in text
    assert "ALLOWED_HOSTS" in text
    assert [(line["event"], line["host"]) for line in lines if "host" in line] == [("host_refused", PUBLIC)]


CASES = {
    "HTTPS is on and the browser came by plain HTTP": (
        {"HTTPS": True, "PUBLIC_HOSTS": [PUBLIC], "HTTPS_IS_GIVEN": False},
        {"origin": f"http://{PUBLIC}"},
        ["HTTPS=off", f"ALLOWED_HOSTS names {PUBLIC}", "X-Forwarded-Proto"],
    ),
    "the proxy ends TLS and does not say so": (
        {"HTTPS": True},
        {"origin": f"https://{PUBLIC}"},
        [f"opened as https://{PUBLIC}", "X-Forwarded-Proto: https", "CSRF_TRUSTED_ORIGINS"],
    ),
    "the proxy ends TLS and HTTPS is off": (
        {"HTTPS": False},
        {"origin": f"https://{PUBLIC}"},
        ["set HTTPS=on", "CSRF_TRUSTED_ORIGINS"],
    ),
    "the proxy asks for another host": (
        {},
        {"origin": "https://ops.example.org"},
        ["opened as https://ops.example.org", f"http://{PUBLIC}", "proxy_set_header Host", "ALLOWED_HOSTS"],
    ),
    "the browser tells no origin": ({}, {"origin": "null"}, ["The browser sent no origin"]),
    "the referer is of another host": (
        {"HTTPS": True},
        {"referer": "https://ops.example.org/admin/login/?next=/secret", "scheme": "https"},
        ["opened as https://ops.example.org,", f"https://{PUBLIC}"],
    ),
    "the referer is nonsense": (
        {"HTTPS": True},
        {"referer": "https://[", "scheme": "https"},
        ["The browser sent no origin"],
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES)
def test_a_form_refused_for_the_proxy_s_sake_names_the_origin_and_the_setting(settings: Any, case: str) -> None:
    given, headers, said = CASES[case]
    settings.ALLOWED_HOSTS = [PUBLIC]
    for name, value in given.items():
        setattr(settings, name, value)
    secure = headers.get("scheme") == "https"
    sent = {name: value for name, value in headers.items() if name != "scheme"}
    with capture_logs() as lines:
        answer: Any = Client(enforce_csrf_checks=True).post(LOGIN, {}, headers={"host": PUBLIC, **sent}, secure=secure)
    assert answer.status_code == 403
    text = answer.content.decode()
    assert not [part for part in said if part.replace("'", "&#x27;") not in text]
    assert "too old" not in text
    assert "Allow cookies" not in text
    [line] = [line for line in lines if line["event"] == "form_refused"]
    assert (line["served"].endswith(PUBLIC), said[0] in line["remedy"]) == (True, True)
    assert "secret" not in str(line["origin"])


@pytest.mark.django_db
def test_a_form_without_a_cookie_blames_the_browser_where_the_proxy_is_right(settings: Any) -> None:
    settings.HTTPS = False
    answer = Client(enforce_csrf_checks=True).post(LOGIN, {})
    assert "Allow cookies" in answer.content.decode()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"ALLOWED_HOSTS": f"localhost,{PUBLIC}"}, f"ALLOWED_HOSTS names {PUBLIC}, which is not this machine"),
        ({"HTTPS": "on"}, "The setting HTTPS is on"),
        ({"HTTPS": "off", "ALLOWED_HOSTS": PUBLIC}, ""),
        ({}, ""),
    ],
)
def test_the_start_says_when_https_is_on_and_why(given: dict[str, str], why: str) -> None:
    said = start("DEBUG", "import progress_site.asgi", **given).stderr
    assert ("https_is_on" in said, why in said) == (bool(why), True)


def test_the_start_says_how_the_site_is_reached_and_which_settings_say_so() -> None:
    given = {"PATH_PREFIX": "progress/", "HTTPS": "on", "HSTS_PRELOAD": "on", "TRUSTED_PROXIES": "10.0.0.0/8"}
    said = start("DEBUG", "import progress_site.asgi", **given).stderr
    [line] = [json.loads(line) for line in said.splitlines() if "reached_at" in line]
    assert line["path"] == "/progress/ (PATH_PREFIX)"
    assert line["cookies"].startswith("__Secure-progress-sessionid, __Secure-progress-csrftoken (__Secure- by HTTPS")
    assert line["trusted_proxies"] == "10.0.0.0/8"
    assert line["hsts"] == "HSTS_SECONDS 86400, HSTS_INCLUDE_SUBDOMAINS off, HSTS_PRELOAD on"


async def test_a_socket_of_a_page_of_another_host_is_refused_with_a_line_in_the_log() -> None:
    from progress_site.asgi import application

    headers = [(b"host", b"testserver"), (b"origin", b"https://ops.example.org")]
    scope = {"type": "websocket", "path": "/ws/jobs", "query_string": b"", "headers": headers, "subprotocols": []}
    asked = ApplicationCommunicator(application, scope)
    with capture_logs() as lines:
        await asked.send_input({"type": "websocket.connect"})
        assert (await asked.receive_output(timeout=10))["type"] == "websocket.close"
    assert [(line["event"], line["origin"]) for line in lines] == [("socket_refused", "https://ops.example.org")]


def names_of_settings() -> set[str]:
    """Every setting that progress_site reads."""
    files = ("settings.py", "sign_in/configuration.py")
    source = "".join((ROOT / "progress_site" / file).read_text() for file in files)
    return set(re.findall(r'(?:(?:environment|database_url)\.\w+|_pairs)\(\s*"(\w+)"', source))


def names_in_the_example() -> set[str]:
    """Every setting that .env.example lists, also those that are commented out."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = (line.removeprefix("#").partition("=")[0] for line in lines if "=" in line)
    return {name for name in named if name.isupper() and " " not in name}


def test_the_example_names_every_setting_and_no_other() -> None:
    assert names_in_the_example() == names_of_settings()


def test_the_context_of_the_image_holds_no_secrets() -> None:
    assert ".env" in Path(ROOT / ".dockerignore").read_text().split()
