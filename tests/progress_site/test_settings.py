"""A wrong setting stops the start with its name; production refuses what is unsafe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from progress_site import environment

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a-long-random-text-of-many-characters-0123456789"
SHOW = "{before}; from progress_site import settings; print(getattr(settings, {name!r}))"


def start(show: str = "DEBUG", before: str = "pass", /, **given: str) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of its own with this environment, and print one of them."""
    around = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", SHOW.format(name=show, before=before)],
        cwd=ROOT,
        env={**around, "ENV_FILE": "", "SECRET_KEY": SECRET, **given},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 60),
        ("ALLOWED_HOSTS", "*"),
        ("COMPLETION_THRESHOLD_PERCENTAGE", "abc"),
        ("COMPLETION_THRESHOLD_PERCENTAGE", ""),
        ("COMPLETION_THRESHOLD_PERCENTAGE", "89.5"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "nonsense"),
        ("WATERMARK_TTL_SECONDS", "0"),
        ("WEBHOOK_CA_FILE", "/nowhere/ca.pem"),
        ("WEBHOOK_PROXY", "proxy.example.com"),
        ("CORS_ORIGINS", "dashboard.example.com"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name(name: str, value: str) -> None:
    refused = start(**{name: value})
    assert refused.returncode != 0
    assert "ImproperlyConfigured" in refused.stderr.splitlines()[-1]
    assert name in refused.stderr.splitlines()[-1]


@pytest.mark.parametrize(("value", "percent"), [("150", "100"), ("-5", "0"), ("75", "75")])
def test_the_threshold_is_clamped_to_a_percentage(value: str, percent: str) -> None:
    assert start("COMPLETION_THRESHOLD_PERCENTAGE", COMPLETION_THRESHOLD_PERCENTAGE=value).stdout.strip() == percent


def test_without_any_setting_but_a_secret_the_defaults_hold() -> None:
    assert start("COMPLETION_THRESHOLD_PERCENTAGE").stdout.strip() == "90"
    assert start("DEBUG").stdout.strip() == "False"


def test_debugging_needs_no_secret_and_may_serve_any_host() -> None:
    assert start("ALLOWED_HOSTS", SECRET_KEY="", DEBUG="on", ALLOWED_HOSTS="*").stdout.strip() == "['*']"


@pytest.mark.parametrize(
    ("hosts", "secure"), [("localhost,127.0.0.1", "False"), ("progress.example.com", "True"), ("localhost,a.b", "True")]
)
def test_cookies_are_for_https_where_others_reach_the_site(hosts: str, secure: str) -> None:
    assert start("SESSION_COOKIE_SECURE", ALLOWED_HOSTS=hosts).stdout.strip() == secure


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("ITEM_LEASE_SECONDS=30\nJOB_SILENT_AFTER=40\n")
    given = {"ENV_FILE": str(file), "ITEM_LEASE_SECONDS": "20"}
    assert start("ITEM_LEASE_SECONDS", **given).stdout.strip() == "20"
    assert start("JOB_SILENT_AFTER", **given).stdout.strip() == "40"


def test_sqlite_makes_its_directory_and_takes_the_write_lock_at_the_beginning(tmp_path: Path) -> None:
    shown = start("DATABASES", DATABASE_URL=f"sqlite:///{tmp_path}/new/progress.sqlite3")
    assert (tmp_path / "new").is_dir()
    assert "'transaction_mode': 'IMMEDIATE'" in shown.stdout


@pytest.mark.parametrize("value", ["", "1.5", "1e3", "0x10", "१", "0", "31536001", " ", "--1", "9" * 30])
def test_a_duration_is_whole_seconds_up_to_a_year(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECONDS", value)
    with pytest.raises(ImproperlyConfigured, match="SOME_SECONDS"):
        environment.seconds("SOME_SECONDS", default=1)


@pytest.mark.parametrize(("value", "truth"), [("on", True), ("TRUE", True), ("0", False), (" no ", False)])
def test_a_truth_is_one_of_the_known_words(value: str, truth: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TRUTH", value)
    assert environment.boolean("SOME_TRUTH", default=not truth) is truth


@pytest.mark.parametrize("value", ["ture", "", "2"])
def test_any_other_word_is_no_truth(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TRUTH", value)
    with pytest.raises(ImproperlyConfigured, match="SOME_TRUTH"):
        environment.boolean("SOME_TRUTH", default=True)


@pytest.mark.parametrize("value", ["progress.example.com", "ftp://a", "https://"])
def test_an_origin_has_its_scheme(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_ORIGINS", value)
    with pytest.raises(ImproperlyConfigured, match="SOME_ORIGINS"):
        environment.origins("SOME_ORIGINS")


@pytest.mark.parametrize("value", ["http://127.0.0.1", "redis://", "127.0.0.1:6379"])
def test_an_address_has_a_known_scheme_and_a_host(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_URL", value)
    with pytest.raises(ImproperlyConfigured, match="SOME_URL"):
        environment.url("SOME_URL", "redis", "rediss")
