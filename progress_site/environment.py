"""Readers of environment variables. A wrong value stops the start with the name of its setting."""

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
LABEL_LENGTH = 24
SECRET_VARIETY = 8
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}

SQLITE = "progress_site.sqlite3"
# IMMEDIATE takes the write lock at the start of a transaction, so that a second writer waits instead of failing in the
# middle. FULL makes a committed transaction survive a power loss.
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
# Connections of the pool are checked before use. A request that waits too long for one, or for a lock, gets 503.
POSTGRESQL_SETTINGS = {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
POSTGRESQL_OPTIONS = {
    "pool": {"min_size": 1, "max_size": 20, "timeout": 5},
    "connect_timeout": 5,
}
# Boolean options of a database URL; others are integers or texts.
SWITCHES = ("pool", "server_side_binding")
MAIL_SCHEMES = ("smtp", "smtp+tls", "smtp+ssl", "smtps")
SWITCHES_OF_DJANGO = ("CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS")

env = environ.Env()


def text(name: str, default: str = "") -> str:
    """Return the setting's text without surrounding white space."""
    value: str = env.str(name, default=default)
    return value.strip()


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list without empty entries."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def label(name: str) -> str:
    """Return a short text of one line; empty where it is not set."""
    value = text(name)
    if len(value) > LABEL_LENGTH or not value.isprintable():
        raise ImproperlyConfigured(f"Set {name} to at most {LABEL_LENGTH} printable characters.")
    return value


def boolean(name: str, *, default: bool) -> bool:
    """Return a boolean from 1/0, true/false, yes/no or on/off in any case."""
    value = text(name, "on" if default else "off").lower()
    if value not in TRUTHS:
        raise ImproperlyConfigured(f"Set {name} to on or off, not {value!r}.")
    return TRUTHS[value]


def integer(name: str, *, default: int, minimum: int, maximum: int) -> int:
    """Return an integer within its limits, written in plain digits."""
    value = _digits(name, default=default)
    if not minimum <= value <= maximum:
        raise ImproperlyConfigured(f"Set {name} to an integer from {minimum} to {maximum}, not {value}.")
    return value


def days(name: str, *, default: int) -> int:
    """Return a number of days, from 0 to a hundred years."""
    return integer(name, default=default, minimum=0, maximum=36_500)


def seconds(name: str, *, default: int) -> int:
    """Return a duration in whole seconds, from one second to one year."""
    return integer(name, default=default, minimum=1, maximum=LONGEST_SECONDS)


def percentage(name: str, *, default: int) -> int:
    """Return an integer percentage; numbers outside 0 to 100 are clamped to the nearer end."""
    return max(0, min(100, _digits(name, default=default)))


def url(name: str, *schemes: str, password: str = "") -> str:
    """Return a URL with one of the schemes, or an empty text if the setting is not given.

    A `password` with any characters is inserted if the URL names a user without one.
    """
    value = text(name)
    if value and (urlsplit(value).scheme not in schemes or not urlsplit(value).netloc):
        raise ImproperlyConfigured(f"Set {name} to a URL with one of these schemes: {', '.join(schemes)}.")
    parts = urlsplit(value)
    user, at, host = parts.netloc.rpartition("@")
    if not password or not at or ":" in user:
        return value
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def public_url(name: str, *, hosts: list[str], https: bool) -> str:
    """Return the address of the site for links in messages, without a slash at its end.

    Default: the first public host. Where browsers need HTTPS, the address needs it too.
    """
    scheme = "https" if https else "http"
    host = next((each.lstrip(".") for each in hosts if each != "*"), "127.0.0.1:8000")
    value = text(name, f"{scheme}://{host}").rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise ImproperlyConfigured(f"Set {name} to the address of the site, such as https://progress.example.com.")
    if https and parts.scheme != "https":
        raise ImproperlyConfigured(f"Start {name} with https://, or set HTTPS=off.")
    return value


def mail(name: str) -> dict[str, Any]:
    """Return Django's settings of a mail server from a URL such as smtp+tls://user:password@host:587."""
    value = text(name)
    if not value:
        return {}
    if urlsplit(value).scheme not in MAIL_SCHEMES or not urlsplit(value).hostname:
        raise ImproperlyConfigured(
            f"Set {name} to a URL such as smtp+tls://user:password@host:587, with one of these schemes: "
            f"{', '.join(MAIL_SCHEMES)}. In a password write @ / : # % as %40 %2F %3A %23 %25."
        )
    config: dict[str, Any] = env.email_url_config(value)
    del config["EMAIL_FILE_PATH"]
    return config


def sender(name: str, *, default: str) -> str:
    """Return the sender of mails: an address, or a name with an address in angle brackets."""
    value = text(name, default)
    if not re.fullmatch(r"[^<>\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+", value):
        raise ImproperlyConfigured(f"Set {name} to a mail address, such as Progress Site <progress@example.com>.")
    return value


def token(name: str) -> str:
    """Return a part of a cookie's name: letters, digits, hyphens and underscores, or nothing."""
    value = text(name)
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,50}", value):
        raise ImproperlyConfigured(f"Set {name} to at most 50 letters, digits, hyphens and underscores, not {value!r}.")
    return value


def choice(name: str, *, default: str, of: tuple[str, ...]) -> str:
    """Return one of a few words, in any case."""
    value = text(name, default).upper()
    if value not in of:
        raise ImproperlyConfigured(f"Set {name} to one of {', '.join(of)}, not {value!r}.")
    return value


def secret(name: str, *, debug: bool) -> str:
    """Return the signing key; unless DEBUG is on it must be given and hard to guess."""
    value = text(name)
    if debug:
        return value or "debugging-only-key-that-signs-nothing-of-worth"
    if len(value) < SECRET_LENGTH or len(set(value)) < SECRET_VARIETY or value.startswith("django-insecure-"):
        raise ImproperlyConfigured(f"Set {name} to a random text of at least {SECRET_LENGTH} characters.")
    return value


def hosts(name: str, *, default: str, debug: bool) -> list[str]:
    """Return the served host names; '*' is refused unless DEBUG is on."""
    names = words(name, default)
    if not debug and "*" in names:
        raise ImproperlyConfigured(f"Name each host in {name}. '*' is allowed only with DEBUG=on.")
    return names


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Return addresses and networks, such as 10.0.0.5 or 10.0.0.0/8."""
    try:
        return [ip_network(word) for word in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"Set {name} to addresses or networks such as 10.0.0.0/8: {error}.") from error


def origins(name: str) -> list[str]:
    """Return origins with their scheme, such as https://progress.example.com."""
    values = words(name)
    for value in values:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
            raise ImproperlyConfigured(f"Set {name} to origins such as https://host, not {value!r}.")
    return values


def public(names: list[str]) -> list[str]:
    """Return the hosts that are reached from outside this machine."""
    return [name for name in names if name not in LOOPBACK]


def is_given(name: str) -> bool:
    """Is this setting in the environment or in the file?"""
    return name in env


def database(name: str, *, default: str, password: str = "") -> dict[str, Any]:
    """Return Django's settings of the database: SQLite in one file, whose directory is created, or PostgreSQL.

    The query of the URL holds further options. A `password` replaces that of the URL and needs no escaping.
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
        raise ImproperlyConfigured(f"Set {name} ?conn_max_age to a number of seconds.")
    if config["CONN_MAX_AGE"] != 0 and config["OPTIONS"]["pool"]:
        raise ImproperlyConfigured(
            f"Add pool=off to {name}, or remove conn_max_age: the pool already keeps connections."
        )
    return {**config, "PASSWORD": password} if password else config


def _database_of_url(name: str, *, default: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = env.db_url_config(text(name) or default)
    except Exception as error:
        raise ImproperlyConfigured(
            f"Set {name} to a database URL. In a password write @ / : # % as %40 %2F %3A %23 %25, "
            f"or set the password as DATABASE_PASSWORD."
        ) from error
    if config.get("ENGINE") not in ENGINES:
        raise ImproperlyConfigured(f"Start {name} with sqlite:/// or postgres://.")
    if not config.get("NAME"):
        raise ImproperlyConfigured(f"Add the name of a database to {name}.")
    return {"OPTIONS": {}, **config, "ENGINE": ENGINES[config["ENGINE"]]}


def _switch(name: str, value: Any) -> bool:
    written = str(value).lower()
    if written not in TRUTHS:
        raise ImproperlyConfigured(f"Set {name} to on or off, not {value!r}.")
    return TRUTHS[written]


def _digits(name: str, *, default: int) -> int:
    value: str = env.str(name, default=str(default))
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        raise ImproperlyConfigured(f"Set {name} to an integer, not {value!r}.")
    return int(value)
