"""Settings of the database: a URL with options, and settings that replace its parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from progress_site import environment

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
SWITCHES = ("pool", "server_side_binding", "transaction_pooling")
SWITCHES_OF_DJANGO = ("CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS")


def read(name: str, *, default: str, parts: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return Django's settings of the database: SQLite in one file, whose directory is created, or PostgreSQL.

    The query of the URL holds further options. Each of the `parts` that is given replaces that of the URL and needs no
    escaping; OPTIONS are added to its query. With a HOST no URL is needed.
    """
    given = {part: value for part, value in (parts or {}).items() if value}
    config = _database_of_url(name, default=default, given=given)
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
    if options.get("transaction_pooling"):  # a cursor of the server would end with its transaction
        config = {"DISABLE_SERVER_SIDE_CURSORS": True, **config}
    config = {**POSTGRESQL_SETTINGS, **config, "OPTIONS": {**POSTGRESQL_OPTIONS, **options}}
    if not isinstance(config["CONN_MAX_AGE"], int) or config["CONN_MAX_AGE"] < 0:
        raise ImproperlyConfigured(f"Set {name} ?conn_max_age to a number of seconds.")
    if config["CONN_MAX_AGE"] != 0 and config["OPTIONS"]["pool"]:
        raise ImproperlyConfigured(
            f"Add pool=off to {name}, or remove conn_max_age: the pool already keeps connections."
        )
    return config


def _database_of_url(name: str, *, default: str, given: Mapping[str, str]) -> dict[str, Any]:
    url = environment.text(name) or ("postgres://" if "HOST" in given else default)
    if "OPTIONS" in given:
        url += f"{'&' if '?' in url else '?'}{given['OPTIONS'].lstrip('?')}"
    try:
        config: dict[str, Any] = environment.env.db_url_config(url)
    except Exception as error:
        raise ImproperlyConfigured(
            f"Set {name} to a database URL. In a password write @ / : # % as %40 %2F %3A %23 %25, "
            f"or set the password as DATABASE_PASSWORD."
        ) from error
    if config.get("ENGINE") not in ENGINES:
        raise ImproperlyConfigured(f"Start {name} with sqlite:/// or postgres://.")
    if ENGINES[config["ENGINE"]] == POSTGRESQL:
        config |= {part: value for part, value in given.items() if part != "OPTIONS"}
    if not config.get("NAME"):
        raise ImproperlyConfigured(f"Add the name of a database to {name}, or set DATABASE_NAME.")
    return {"OPTIONS": {}, **config, "ENGINE": ENGINES[config["ENGINE"]]}


def _switch(name: str, value: Any) -> bool:
    written = str(value).lower()
    if written not in environment.TRUTHS:
        raise ImproperlyConfigured(f"Set {name} to on or off, not {value!r}.")
    return environment.TRUTHS[written]
