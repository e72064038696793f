"""Readers for the environment: a wrong value stops the start with the name of its setting."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

LONGEST_SECONDS = 31_536_000
TRUTHS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
SECRET_LENGTH = 32
SECRET_VARIETY = 8
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}

SQLITE = "progress_site.sqlite3"
# IMMEDIATE takes the write lock where the transaction begins, so that a writer waits instead of failing in the
# middle; FULL keeps what was acknowledged through a power loss.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 5,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
        "PRAGMA cache_size=-64000; PRAGMA busy_timeout=5000"
    ),
}
POSTGRESQL = "progress_site.postgresql"
ENGINES = {"django.db.backends.sqlite3": SQLITE, "django.db.backends.postgresql": POSTGRESQL}
# A pool of connections that are checked before use; a request that waits too long for one or for a lock gets 503.
POSTGRESQL_SETTINGS = {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
POSTGRESQL_OPTIONS = {
    "pool": {"min_size": 1, "max_size": 20, "timeout": 5},
    "connect_timeout": 5,
}
# Options of a database URL that are on or off; others are integers or texts.
SWITCHES = ("pool", "server_side_binding")
SWITCHES_OF_DJANGO = ("CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS")

env = environ.Env()


def text(name: str, default: str = "") -> str:
    """The setting's text, without the white space around it."""
    value: str = env.str(name, default=default)
    return value.strip()


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, without empty entries."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def boolean(name: str, *, default: bool) -> bool:
    """One of 1/0, true/false, yes/no, on/off in any case."""
    value = text(name, "on" if default else "off").lower()
    if value not in TRUTHS:
        raise ImproperlyConfigured(f"{name} must be on or off, not {value!r}.")
    return TRUTHS[value]


def integer(name: str, *, default: int, least: int, most: int) -> int:
    """An integer within its bounds, written in plain digits."""
    value = _digits(name, default=default)
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} must be from {least} to {most}, not {value}.")
    return value


def seconds(name: str, *, default: int) -> int:
    """A duration in whole seconds, from one second to one year."""
    return integer(name, default=default, least=1, most=LONGEST_SECONDS)


def percentage(name: str, *, default: int) -> int:
    """An integer percentage; numbers outside 0 to 100 are clamped to the nearer end."""
    return max(0, min(100, _digits(name, default=default)))


def url(name: str, *schemes: str, password: str = "") -> str:
    """An address with one of the schemes, or an empty text where the setting is not given.

    A `password` is written into it, whatever characters it has, where it names a user without one.
    """
    value = text(name)
    if value and (urlsplit(value).scheme not in schemes or not urlsplit(value).netloc):
        raise ImproperlyConfigured(f"{name} must be a URL with one of the schemes {', '.join(schemes)}.")
    parts = urlsplit(value)
    user, at, host = parts.netloc.rpartition("@")
    if not password or not at or ":" in user:
        return value
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def token(name: str) -> str:
    """A part of a cookie's name: letters, digits, hyphens and underscores, or nothing."""
    value = text(name)
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,50}", value):
        raise ImproperlyConfigured(
            f"{name} must be at most 50 letters, digits, hyphens and underscores, not {value!r}."
        )
    return value


def choice(name: str, *, default: str, of: tuple[str, ...]) -> str:
    """One of a few words, in any case."""
    value = text(name, default).upper()
    if value not in of:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(of)}, not {value!r}.")
    return value


def secret(name: str, *, debug: bool) -> str:
    """The signing key; outside debugging it must be given and hard to guess."""
    value = text(name)
    if debug:
        return value or "debugging-only-key-that-signs-nothing-of-worth"
    if len(value) < SECRET_LENGTH or len(set(value)) < SECRET_VARIETY or value.startswith("django-insecure-"):
        raise ImproperlyConfigured(f"{name} must be a random text of at least {SECRET_LENGTH} characters.")
    return value


def hosts(name: str, *, default: str, debug: bool) -> list[str]:
    """The host names that are served; outside debugging a name must be given for each."""
    names = words(name, default)
    if not debug and "*" in names:
        raise ImproperlyConfigured(f"{name} must name each host; '*' is for debugging only.")
    return names


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Addresses and networks, such as 10.0.0.5 or 10.0.0.0/8."""
    try:
        return [ip_network(word) for word in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be addresses or networks such as 10.0.0.0/8: {error}.") from error


def origins(name: str) -> list[str]:
    """Origins with their scheme, such as https://progress.example.com."""
    values = words(name)
    for value in values:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
            raise ImproperlyConfigured(f"{name} must hold origins such as https://host, not {value!r}.")
    return values


def public(names: list[str]) -> list[str]:
    """Those of these hosts that are reached from outside this machine."""
    return [name for name in names if name not in LOOPBACK]


def is_given(name: str) -> bool:
    """Does the environment or the file name this setting?"""
    return name in env


def database(name: str, *, default: str, password: str = "") -> dict[str, Any]:
    """Django's settings of the database: SQLite in one file, whose directory is made, or PostgreSQL.

    The query of the URL holds further options. A `password` is taken as it is, instead of that of the URL.
    """
    config = _database_of_url(name, default=default)
    options = {
        key: _switch(f"{name} ?{key}", value) if key in SWITCHES else value for key, value in config["OPTIONS"].items()
    }
    for key in SWITCHES_OF_DJANGO:
        if key in config:
            config[key] = _switch(f"{name} ?{key.lower()}", config[key])
    if config["ENGINE"] == SQLITE:
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        return {**config, "CONN_MAX_AGE": None, "OPTIONS": {**SQLITE_OPTIONS, **options}}
    if options.get("pool") is True:
        del options["pool"]
    config = {**POSTGRESQL_SETTINGS, **config, "OPTIONS": {**POSTGRESQL_OPTIONS, **options}}
    if not isinstance(config["CONN_MAX_AGE"], int) or config["CONN_MAX_AGE"] < 0:
        raise ImproperlyConfigured(f"{name} ?conn_max_age must be a number of seconds.")
    if config["CONN_MAX_AGE"] != 0 and config["OPTIONS"]["pool"]:
        raise ImproperlyConfigured(f"{name} with conn_max_age needs pool=off, too: a pool keeps connections itself.")
    return {**config, "PASSWORD": password} if password else config


def _database_of_url(name: str, *, default: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = env.db_url_config(text(name) or default)
    except Exception as error:
        raise ImproperlyConfigured(
            f"{name} is not a database URL. Write characters such as @ / : # % in a password as %40 %2F %3A %23 %25, "
            f"or give it apart, as DATABASE_PASSWORD."
        ) from error
    if config.get("ENGINE") not in ENGINES:
        raise ImproperlyConfigured(f"{name} must begin with sqlite:/// or postgres://.")
    if not config.get("NAME"):
        raise ImproperlyConfigured(f"{name} must name a database.")
    return {"OPTIONS": {}, **config, "ENGINE": ENGINES[config["ENGINE"]]}


def _switch(name: str, value: Any) -> bool:
    written = str(value).lower()
    if written not in TRUTHS:
        raise ImproperlyConfigured(f"{name} must be on or off, not {value!r}.")
    return TRUTHS[written]


def _digits(name: str, *, default: int) -> int:
    value: str = env.str(name, default=str(default))
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        raise ImproperlyConfigured(f"{name} must be an integer, not {value!r}.")
    return int(value)
