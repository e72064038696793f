"""Database URL: its options, passwords with any characters, and a pooler in between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import yaml
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from progress_site import database_url, environment
from tests.deploy.poolers import pgbouncer
from tests.progress_site.test_settings import ROOT, SECRET, start

URL = "postgres://progress@db:5432/progress"
WILD = "p/w@:#%?&= ä'\"$x"
SHOW = """
import django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SHOW lock_timeout")
    print(cursor.fetchone()[0])
"""


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the settings of a URL."""

    def read(url: str, **parts: str) -> dict[str, Any]:
        monkeypatch.setenv("SOME_URL", url)
        return database_url.read("SOME_URL", default="", parts=parts)

    return read


@pytest.mark.parametrize(("value", "pooled"), [("false", False), ("off", False), ("0", False), ("true", True)])
def test_a_pool_is_on_or_off(database: Any, value: str, pooled: bool) -> None:
    options = database(f"{URL}?pool={value}")["OPTIONS"]
    assert bool(options["pool"]) == pooled
    assert options["pool"] is False or options["pool"]["max_size"] == 20


@pytest.mark.parametrize(
    "query", ["pool=maybe", "pool=20", "conn_max_age=60", "pool=off&conn_max_age=x", "disable_server_side_cursors=2"]
)
def test_an_option_that_makes_no_sense_stops_the_start_with_the_name_of_the_setting(database: Any, query: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SOME_URL"):
        database(f"{URL}?{query}")


def test_options_are_integers_switches_and_texts(database: Any) -> None:
    given = "pool=off&conn_max_age=60&connect_timeout=9&sslmode=require&lock_timeout=7s&disable_server_side_cursors=on"
    read = database(f"{URL}?{given}")
    assert read["OPTIONS"] == {"pool": False, "connect_timeout": 9, "sslmode": "require", "lock_timeout": "7s"}
    assert (read["CONN_MAX_AGE"], read["DISABLE_SERVER_SIDE_CURSORS"]) == (60, True)


def test_options_of_sqlite_are_kept_beside_ours(database: Any, tmp_path: Path) -> None:
    options = database(f"sqlite:///{tmp_path}/x.sqlite3?timeout=3")["OPTIONS"]
    assert (options["timeout"], options["transaction_mode"]) == (3, "IMMEDIATE")


def test_no_startup_parameter_is_sent_that_a_pooler_refuses(database: Any) -> None:
    assert "options" not in database(URL)["OPTIONS"]


def test_a_password_apart_may_have_any_characters(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert database(URL, PASSWORD=WILD)["PASSWORD"] == WILD
    assert database(f"postgres://progress:{quote(WILD, safe='')}@db/progress")["PASSWORD"] == WILD
    monkeypatch.setenv("SOME_BROKER", "amqp://progress@rabbitmq:5672/")
    url = urlsplit(environment.url("SOME_BROKER", "amqp", password=WILD))
    assert (url.hostname, url.port, url.username) == ("rabbitmq", 5672, "progress")
    assert url.password == quote(WILD, safe="")
    monkeypatch.setenv("SOME_BROKER", "amqp://guest:guest@rabbitmq/")
    assert environment.url("SOME_BROKER", "amqp", password=WILD) == "amqp://guest:guest@rabbitmq/"


def test_every_part_of_the_url_may_be_a_setting_of_its_own(database: Any) -> None:
    parts = {"HOST": "db", "PORT": "6432", "NAME": "progress", "USER": "o'hara@x", "PASSWORD": WILD}
    read = database("", **parts, OPTIONS="sslmode=require&lock_timeout=7s")
    assert {name: str(read[name]) for name in parts} == parts
    assert (read["OPTIONS"]["sslmode"], read["OPTIONS"]["lock_timeout"]) == ("require", "7s")
    over = database(f"{URL}?pool=off", HOST="other", OPTIONS="?sslmode=require")
    assert (over["HOST"], over["NAME"], over["OPTIONS"]["pool"]) == ("other", "progress", False)
    assert over["OPTIONS"]["sslmode"] == "require"
    with pytest.raises(ImproperlyConfigured, match="DATABASE_NAME"):
        database("", HOST="db")


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("redis://cache:6379/0", f"redis://:{quote(WILD, safe='')}@cache:6379/0"),
        ("rediss://ops@cache/1", f"rediss://ops:{quote(WILD, safe='')}@cache/1"),
        ("redis://ops:own@cache/1", "redis://ops:own@cache/1"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("", ""),
    ],
)
def test_redis_may_have_a_password_with_any_characters(url: str, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_URL", url)
    assert environment.url("SOME_URL", "redis", "rediss", "unix", password=WILD) == written


def test_a_url_with_a_raw_password_is_refused_with_the_way_to_write_it(database: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_PASSWORD"):
        database("postgres://progress:a/b@db:5432/progress")


def test_the_password_of_compose_reaches_the_site_whatever_its_characters_are() -> None:
    """As compose does it: a value is put where its name stands, without a change."""
    given = yaml.safe_load((ROOT / "compose.yaml").read_text())["x-site"]["environment"]
    assert [name for name, value in given.items() if "POSTGRES_PASSWORD" in str(value)] == ["DATABASE_PASSWORD"]
    password = given["DATABASE_PASSWORD"].replace("${POSTGRES_PASSWORD:?a password}", WILD)
    assert password == WILD
    output = start("DATABASES", DATABASE_URL=given["DATABASE_URL"], DATABASE_PASSWORD=password, PYTHONUTF8="1").stdout
    assert f"'PASSWORD': {WILD!r}" in output
    assert "'HOST': 'postgres'" in output


@pytest.mark.postgres
@pytest.mark.django_db
def test_waiting_too_long_for_a_lock_is_an_error() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("3s",)


@pytest.fixture
def pooler(tmp_path: Path) -> Iterator[str]:
    """The URL of PgBouncer with its defaults, in front of the database of the test run."""
    with pgbouncer(tmp_path) as url:
        yield url


def through(url: str) -> subprocess.CompletedProcess[str]:
    """Return the lock timeout of a process of the site with this database."""
    around = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    given = {"ENV_FILE": "", "SECRET_KEY": SECRET, "DATABASE_URL": url}
    given["DJANGO_SETTINGS_MODULE"] = "progress_site.settings"
    return subprocess.run(
        [sys.executable, "-c", SHOW], cwd=ROOT, env={**around, **given}, capture_output=True, text=True, check=False
    )


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_the_site_works_behind_pgbouncer_with_its_defaults(pooler: str) -> None:
    for query in ("pool=off", "pool=on", "pool=off&lock_timeout=7s"):
        done = through(f"{pooler}?{query}")
        assert done.stdout.strip() == ("7s" if "7s" in query else "3s"), done.stderr
    refused = through(f"{pooler}?pool=off&options=-c%20lock_timeout%3D9s")
    assert "unsupported startup parameter" in refused.stderr
