"""Exit codes of `manage.py jobs`: 0, or 1 failed, 2 wrong usage, 3 not found, 4 wrong state."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from jobs.models import Job
from tests.factories import make_job
from tests.jobs.test_command_jobs import fails
from tests.servers import database_url

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.django_db

WRONG: list[tuple[list[str], int, str]] = [
    ([], 1, "required"),
    (["burn", "JOB"], 1, "invalid choice"),
    (["list", "--status", "done"], 1, "invalid choice"),
    (["list", "--limit", "0"], 1, "from 1 to 1000"),
    (["threshold", "JOB", "items", "101"], 1, "from 0 to 100"),
    (["watch", "JOB", "--interval", "0"], 1, "Enter 0.1 to 60"),
    (["force-complete", "JOB"], 2, "reason"),
    (["skip", "JOB"], 2, "Name the items"),
    (["retry", "JOB", "--reason", "x" * 2001], 2, "2000"),
    (["show", "unknown"], 3, "There is no job 'unknown'"),
    (["show", "9" * 40], 3, "There is no job"),
    (["watch", "unknown"], 3, "There is no job"),
    (["retry", "JOB", "--phase", "merge"], 3, "no phase merge"),
    (["retry", "JOB", "--key", "gone"], 3, "no item 'gone'"),
    (["retry", "JOB", "--as", "unknown"], 3, "no active account"),
    (["resume", "DONE"], 4, "is completed; resume is possible while it is paused"),
    (["cancel", "DONE"], 4, "is completed; cancel"),
    (["skip", "DONE", "--key", "k0"], 4, ""),
]


@pytest.mark.parametrize(("words", "code", "sentence"), WRONG, ids=[" ".join(row[0])[:40] for row in WRONG])
def test_what_is_refused_has_an_exit_code_and_a_sentence(words: list[str], code: int, sentence: str) -> None:
    """Usage that argparse refuses exits with 2 in a shell, see below; `call_command` raises it as 1."""
    names = {"JOB": make_job(items=2).name, "DONE": make_job(items=1, done=1).name}
    before = sorted(Job.objects.values_list("revision", flat=True))
    answer, said = fails(*[names.get(word, word) for word in words])
    assert (answer, sentence in said) == (code, True), said
    assert sorted(Job.objects.values_list("revision", flat=True)) == before


def shell(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process of its own."""
    settings = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "manage.py", "jobs", *words]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | settings | environment, capture_output=True, timeout=60, check=False
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["watch", "done"], 0),
        (["watch", "broken"], 1),
        (["list", "--status", "nonsense"], 2),
        (["show", "unknown"], 3),
        (["resume", "done"], 4),
    ],
)
def test_a_shell_sees_the_exit_codes(words: list[str], code: int) -> None:
    make_job(name="done", items=1, done=1)
    make_job(name="broken", items=1, failed=1, on_shortfall="fail")
    ended = shell(*words)
    assert ended.returncode == code, ended.stderr
    assert bool(ended.stderr) is (code > 1)


@pytest.mark.django_db(transaction=True)
def test_a_shell_that_knows_only_ascii_gets_question_marks_and_its_scripts_whole_json() -> None:
    make_job(name="画像", items=1)
    table = shell("list", PYTHONIOENCODING="ascii")
    assert (table.returncode, b"??" in table.stdout) == (0, True)
    assert "画像" in shell("list", "--json", PYTHONIOENCODING="ascii").stdout.decode()


def test_a_database_that_does_not_answer_is_a_sentence_and_exit_code_1() -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(away):
        assert fails("list") == (1, "The database does not answer. Check it and try again: connection refused")
