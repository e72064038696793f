"""Database of the site for the scripts beside this file: its kind, its name, a copy, or a program with its account."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from progress_site.settings import DATABASES

DATABASE = DATABASES["default"]
KIND = DATABASE["ENGINE"].rpartition(".")[2].removesuffix("3")
LIBPQ = {"HOST": "PGHOST", "PORT": "PGPORT", "NAME": "PGDATABASE", "USER": "PGUSER", "PASSWORD": "PGPASSWORD"}
SSL = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


def copy(target: str) -> None:
    """Copy the SQLite file while processes write, and check the copy."""
    source = sqlite3.connect(f"file:{DATABASE['NAME']}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(target)) as backup:
        source.backup(backup)
        backup.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        [[found]] = backup.execute("PRAGMA integrity_check(1)").fetchall()
    if found != "ok":
        sys.exit(f"The copy is damaged: {found}")


def run(program: str, *arguments: str) -> None:
    """Replace this process by a program of PostgreSQL; the password is in no argument."""
    variables = {LIBPQ[part]: str(DATABASE[part]) for part in LIBPQ if DATABASE.get(part)}
    variables |= {SSL[name]: str(value) for name, value in DATABASE["OPTIONS"].items() if name in SSL}
    os.execvpe(program, [program, *arguments], {**os.environ, **variables})


match sys.argv[1:]:
    case ["kind"]:
        print(KIND)
    case ["name"]:
        print(DATABASE["NAME"])
    case ["copy", target]:
        copy(target)
    case ["run", program, *arguments]:
        run(program, *arguments)
    case _:
        sys.exit("Usage: database.py kind | name | copy FILE | run PROGRAM …")
