"""`manage.py jobs watch`: the states of a job until it is over, on a terminal, in a file, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from jobs import operations
from jobs.management.terminal import job_watch
from jobs.models import Job
from tests.factories import complete, make_job, phase_of, tell

pytestmark = pytest.mark.django_db


class Terminal(StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        """Answer True."""
        return True


def watch(
    job: Job, out: StringIO, monkeypatch: pytest.MonkeyPatch, *acts: Callable[[], object], json: bool = False
) -> int:
    """Watch while these changes happen, one in each pause; return the exit code."""
    coming: Iterator[Callable[[], object]] = iter(acts)
    monkeypatch.setattr(job_watch.time, "sleep", lambda _: next(coming)())
    try:
        call_command("jobs", "watch", job.name, *["--json"] * json, stdout=out, stderr=StringIO())
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_file_gets_one_line_for_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    job, out = make_job(name="moving", items=4), StringIO()
    phase = phase_of(job)
    code = watch(job, out, monkeypatch, lambda: complete(phase, 2), lambda: None, lambda: complete(phase, 2, start=2))
    lines = [line.split("  ")[1:] for line in out.getvalue().splitlines()]
    assert [line[:2] for line in lines] == [["pending", "0 %"], ["processing", lines[1][1]], ["completed", "100 %"]]
    assert [line[-1] for line in lines] == ["Processing 0/4", "Processing 2/4", "Completed"]
    assert code == 0


def test_json_is_one_body_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    job, out = make_job(items=2), StringIO()
    watch(job, out, monkeypatch, lambda: complete(phase_of(job), 2), json=True)
    assert [json.loads(line)["percent"] for line in out.getvalue().splitlines()] == [0, 100]


def test_a_terminal_gets_a_bar_for_each_phase_drawn_over_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    job, out = make_job(name="moving", items=4), Terminal()
    phase = phase_of(job)
    monkeypatch.setenv("NO_COLOR", "1")
    code = watch(job, out, monkeypatch, lambda: tell(phase, "k0", "failed"), lambda: complete(phase, 4))
    first, second, third = out.getvalue().split("\x1b[J")[:3]
    assert first.startswith(job_watch.HIDE_CURSOR)
    assert "[░░░░░░░░░░░░░░░░░░░░]" in first
    assert second.startswith("\x1b[3F")
    assert "[▒▒▒▒▒░░░░░░░░░░░░░░░]" in second
    assert "k0 failed: unknown error" in second
    assert third.startswith("\x1b[4F")
    assert "✓ completed" in third
    assert out.getvalue().endswith(job_watch.SHOW_CURSOR)
    assert code == 0


@pytest.mark.parametrize("act", [operations.cancel, operations.fail])
def test_a_job_that_does_not_complete_is_exit_code_1(
    act: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(items=2)
    assert watch(job, StringIO(), monkeypatch, lambda: act(job, actor=None)) == 1


def test_a_job_that_is_deleted_meanwhile_is_exit_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(items=2)
    with pytest.raises(CommandError) as caught:
        watch(job, StringIO(), monkeypatch, Job.objects.all().delete)
    assert caught.value.returncode == 3


def test_ctrl_c_gives_the_cursor_back_and_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    job, out = make_job(items=2), Terminal()
    assert watch(job, out, monkeypatch, interrupt) == 130
    assert out.getvalue().endswith(job_watch.SHOW_CURSOR)


COLOURS = [({}, [], True), ({"NO_COLOR": "1"}, [], False), ({}, ["--no-color"], False), ({"TERM": "dumb"}, [], False)]


@pytest.mark.parametrize(("environment", "options", "coloured"), COLOURS)
def test_a_terminal_has_colours_unless_they_are_switched_off(
    environment: dict[str, str], options: list[str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    make_job(items=1, done=1)
    out = Terminal()
    call_command("jobs", *options, "list", stdout=out)
    assert ("\x1b[32m✓ completed\x1b[0m" if coloured else "✓ completed") in out.getvalue()
    assert ("\x1b" in out.getvalue()) is coloured


def test_a_file_has_colours_only_on_demand_and_no_icons() -> None:
    make_job(items=1, done=1)
    for options, coloured in ([], False), (["--force-color"], True):
        out = StringIO()
        call_command("jobs", *options, "list", stdout=out)
        assert (("\x1b[32mcompleted\x1b[0m" in out.getvalue()), "✓" in out.getvalue()) == (coloured, False)
