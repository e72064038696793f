"""The database of a run: a temporary SQLite file, or a PostgreSQL database of its own that is dropped afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True)
class Database:
    """The address of the database, and how its connections are cut."""

    url: str
    admin_url: str = ""

    @property
    def is_sqlite(self) -> bool:
        """Return whether it is a file."""
        return not self.admin_url

    @property
    def wal(self) -> Path:
        """The write-ahead log of the file."""
        return Path(f"{self.url.removeprefix('sqlite:///')}-wal")

    @property
    def name(self) -> str:
        """The name of the database on its server."""
        return urlsplit(self.url).path.removeprefix("/")

    def connections(self) -> int:
        """Count the connections of the site."""
        return 0 if self.is_sqlite else int(self._ask("SELECT count(*) FROM pg_stat_activity WHERE datname = %s"))

    def cut_connections(self) -> None:
        """End every connection of the site, as a restart of the server does."""
        if not self.is_sqlite:
            self._ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s")

    def _ask(self, sql: str) -> int:
        import psycopg

        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            row = connection.execute(sql, [self.name]).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def database(folder: Path, server: str) -> Iterator[Database]:
    """Provide a new database: on this PostgreSQL server, or a file where none is given."""
    if not server:
        yield Database(f"sqlite:///{folder / 'chaos.sqlite3'}")
        return
    import psycopg

    name, parts = f"progress_chaos_{os.getpid()}", urlsplit(server)
    admin = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield Database(urlunsplit(parts._replace(path=f"/{name}")), admin)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
