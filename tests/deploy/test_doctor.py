"""`manage.py doctor`: a sound deployment has no fault, and each mistake in a real proxy is named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REQUIRED
from tests.deploy.conftest import Backend
from tests.deploy.proxies import Front, TLSUvicorn, binary, manage, start
from tests.examples.site import environment, template
from tests.servers import started

# Only a proxy's own configuration depends on the path, and test_a_sound_proxy_has_no_fault has both.
BELOW_A_PATH = pytest.mark.parametrize("backend", ["/progress"], ids=["prefix"], indirect=True)
OUTSIDE = ["address", "proxy", "scheme", "host", "clock-site", "forms", "websockets", "streams", "bodies"]


def findings(environment: dict[str, str], *arguments: str) -> dict[str, dict[str, str]]:
    """Return the findings by their checks."""
    done = manage(environment, "doctor", "--json", *arguments, code=None)
    body = json.loads(done.stdout)
    assert done.returncode == (1 if body["status"] == "fault" else 0)
    return {each["check"]: each for each in body["checks"]}


def faults(found: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the remedies of the faults that lie on the way to the site."""
    return {name: each["remedy"] for name, each in found.items() if each["status"] != "ok" and name in OUTSIDE}


def test_a_sound_proxy_has_no_fault(front: Front, backend: Backend) -> None:
    found = findings(backend.environment, "--url", front.url, "--insecure")
    assert faults(found) == {}
    assert [name for name in found if name in OUTSIDE] == OUTSIDE


@contextmanager
def with_mistakes(folder: Path, backend: Backend, mistakes: dict[str, str]) -> Iterator[Front]:
    """Run nginx with mistakes."""
    if binary("nginx") is None:
        refuse: Any = pytest.fail if REQUIRED else pytest.skip
        refuse("there is no nginx on the PATH")
    running = start("nginx", folder, backend.ports, prefix=backend.prefix, mistakes=mistakes)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.wait(timeout=20)


MISTAKES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "the upgrade is lost": (
        {"proxy_set_header Upgrade $http_upgrade;": ""},
        {"websockets": "pass Upgrade and Connection on"},
    ),
    "streams are buffered": (
        {"proxy_buffering off;": "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"},
        {"streams": "proxy_buffering off"},
    ),
    "the host is another": (
        {
            "proxy_set_header Host $http_host;": "proxy_set_header Host inside.example;",
            "proxy_set_header X-Forwarded-Host $http_host;": "",
        },
        {"host": "Add localhost to ALLOWED_HOSTS"},
    ),
    "the scheme is not said": (
        {"proxy_set_header X-Forwarded-Proto $scheme;": ""},
        {"scheme": "X-Forwarded-Proto", "forms": "CSRF_TRUSTED_ORIGINS"},
    ),
    "bodies are limited": ({"client_max_body_size 1m;": "client_max_body_size 100k;"}, {"bodies": "1 MiB"}),
}


@BELOW_A_PATH
@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_of_a_proxy_is_named(mistake: str, backend: Backend, tmp_path: Path) -> None:
    mistakes, expected = MISTAKES[mistake]
    with with_mistakes(tmp_path, backend, mistakes) as front:
        found = faults(findings(backend.environment, "--url", front.url, "--insecure"))
    assert {name: text in found.get(name, "") for name, text in expected.items()} == dict.fromkeys(expected, True)
    assert set(found) - set(expected) <= {"forms", "websockets", "streams"}


@BELOW_A_PATH
def test_a_proxy_that_is_not_trusted_and_another_site_are_named(backend: Backend, tmp_path: Path) -> None:
    with started(TLSUvicorn({**backend.environment, "TRUSTED_PROXIES": "10.9.9.9"})) as other:
        sealed = Backend([other, other], backend.environment, backend.prefix, 0, "")
        with with_mistakes(tmp_path, sealed, {}) as front:
            found = faults(findings(backend.environment, "--url", front.url, "--insecure"))
            assert found["proxy"] == "Add 127.0.0.1 to TRUSTED_PROXIES."
            key = {"SECRET_KEY": "another-key-of-the-test-run-0123456789"}
            strange = faults(findings({**backend.environment, **key}, "--url", front.url, "--insecure"))
            assert "SECRET_KEY" in strange["host"]


@BELOW_A_PATH
def test_an_address_that_does_not_answer_is_the_only_finding_outside(backend: Backend) -> None:
    found = findings(backend.environment, "--url", "https://127.0.0.1:1/")
    assert list(faults(found)) == ["address"]


def inside(tmp_path: Path, **more: str) -> dict[str, str]:
    file = tmp_path / "site.sqlite3"
    file.write_bytes(template()[0].read_bytes())
    own = {name: value for name, value in environment(file).items() if name not in ("AMQP_URL", "REDIS_URL")}
    return {**own, **more}


def test_from_inside_it_names_silent_processes_and_what_starts_them(tmp_path: Path) -> None:
    given = inside(tmp_path)
    assert manage(given, "watchdog", "--once").returncode == 0
    found = findings(given)
    assert (found["watchdog"]["status"], found["deliverer"]["status"]) == ("ok", "fault")
    assert "manage.py deliver" in found["deliverer"]["remedy"]
    with closing(sqlite3.connect(tmp_path / "site.sqlite3")) as connection:
        connection.execute("UPDATE jobs_processheartbeat SET seen_at = '2026-01-01 00:00:00'")
        connection.commit()
    assert findings(given)["watchdog"]["status"] == "fault"


def test_from_inside_it_names_every_service_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("channels_redis", reason="the packages of scale-out are not installed")
    dead = {"REDIS_URL": "redis://127.0.0.1:1/0", "AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}
    found = findings(inside(tmp_path, **dead))
    assert (found["database"]["status"], found["redis"]["status"], found["broker"]["status"]) == (
        "ok",
        "fault",
        "fault",
    )
    assert "REDIS_URL" in found["redis"]["remedy"]
    away = findings(inside(tmp_path, DATABASE_URL="postgres://x@127.0.0.1:1/x"))
    assert away["database"]["status"] == "fault"
    assert "watchdog" not in away


def test_a_terminal_shows_each_finding_with_its_remedy(tmp_path: Path) -> None:
    done = manage(inside(tmp_path), "doctor", code=1)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok       database     sqlite")
    assert next(line.strip() for line in lines if "manage.py watchdog" in line).startswith("→ Start it")
    assert lines[-1] == "2 faults."


def test_an_address_without_its_scheme_is_refused(tmp_path: Path) -> None:
    assert "https://" in manage(inside(tmp_path), "doctor", "--url", "progress.example.com", code=2).stderr
