"""PgBouncer with its defaults in front of the database of the test run."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.conftest import REQUIRED
from tests.deploy.proxies import binary
from tests.servers import free_port

SECONDS = 20.0


@contextmanager
def pgbouncer(folder: Path, *more: str) -> Iterator[str]:
    """Run PgBouncer with further lines of configuration; yield the URL of the database behind it."""
    program = binary("pgbouncer")
    if program is None:
        refuse: Any = pytest.fail if REQUIRED else pytest.skip
        refuse("there is no PgBouncer on the PATH")
    given, port = connection.settings_dict, free_port()
    target = f"host={given['HOST'] or '127.0.0.1'} port={given['PORT'] or 5432} dbname={given['NAME']}"
    secret = f" password={given['PASSWORD']}" if given["PASSWORD"] else ""
    lines = ["[databases]", f"pooled = {target} user={given['USER']}{secret}", "[pgbouncer]", "listen_addr = 127.0.0.1"]
    lines += [f"listen_port = {port}", "auth_type = any", "unix_socket_dir =", *more]
    # PgBouncer refuses to run as root; this is the account without permissions.
    lines += [f"user = {pwd.getpwuid(65534).pw_name}"] if os.geteuid() == 0 else []
    file = folder / "pgbouncer.ini"
    file.write_text("\n".join(lines))
    process = subprocess.Popen([str(program), str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield f"postgres://app@127.0.0.1:{port}/pooled"
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    import psycopg

    until = time.monotonic() + SECONDS
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, dbname="pooled", user="app", connect_timeout=5).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
