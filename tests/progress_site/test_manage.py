"""manage.py: its arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.tracker.oldfiles import make_usual
from tests.servers import ROOT

BAD = b"bad \xff"


def manage(*arguments: bytes, database: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": f"sqlite:///{database}"}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [(b"jobs", b"list", b"--q", BAD), (b"jobs", b"retry", b"1", b"--reason", BAD), (b"token", b"create", BAD)],
)
def test_an_argument_that_is_not_utf8_is_a_fault_of_usage(tmp_path: Path, arguments: tuple[bytes, ...]) -> None:
    done = manage(*arguments, database=tmp_path / "none.sqlite3")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"manage.py: The argument 'bad \\udcff' is not UTF-8; type it again.\n"


def test_the_name_of_a_file_may_be_any_bytes(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/old \xff.db"))
    make_usual(path)
    migrated = manage(b"migrate", b"--verbosity", b"0", database=tmp_path / "site.sqlite3")
    assert migrated.returncode == 0, migrated.stderr
    done = manage(b"import_tracker", os.fsencode(path), database=tmp_path / "site.sqlite3")
    assert done.returncode == 0, done.stderr
    assert b"All counts equal those of the file." in done.stderr
