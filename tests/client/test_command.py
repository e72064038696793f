"""`progress`: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from progress_client import Client
from progress_client.command import incidents, main, renderers
from progress_client.command.tables import TerminalStyle

from tests.client.grounds import PACKAGE
from tests.examples.site import Site

COMMAND = "from progress_client.command.main import run; run()"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(site: Site, operator: str, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str, token: str = operator) -> tuple[int, str, str]:
        try:
            code = main.main(["--url", site.url, "--token", token, "--patience", "1", *arguments])
        except SystemExit as end:
            code = int(str(end.code))
        return code, *capsys.readouterr()

    return call


def test_the_list_has_a_line_for_each_job(run: Run, client: Client, name: str) -> None:
    job = client.job(name, items=["a", "b", "c"])
    job.report([{"key": "a", "status": "completed"}, {"key": "b", "status": "failed"}])
    code, out, _ = run("list", "--name", name)
    head, row = out.splitlines()
    assert code == 0
    assert head.split() == [column.title for column in renderers.JOBS]
    assert row.split()[1:7] == ["processing", "33", name, "generic", "1/3", "1"]
    assert row.endswith("Processing 1/3 · 1 failed")
    assert run("list", "--name", "unknown") == (0, "", "progress: No jobs match.\n")
    client.job(f"{name}/2", items=["a"])
    assert run("list", "--q", name, "--limit", "1")[2] == "progress: There are more jobs; raise --limit to list them.\n"


def test_show_has_the_phases_and_the_errors(run: Run, client: Client, name: str) -> None:
    error = "disk 7 \x1b[31mis full"
    client.job(name, items=["a"]).report([{"key": "a", "status": "failed", "error": error}])
    code, out, _ = run("show", name)
    assert code == 0
    assert "[▒▒▒▒▒▒▒▒▒▒]" in out
    assert "disk 7 ·[31mis full" in out
    assert "\x1b" not in out
    body = json.loads(run("show", name, "--json")[1])
    assert (body["name"], body["errors"][0]["sample"]) == (name, error)


def test_watch_ends_with_the_job_and_says_how_it_went(run: Run, client: Client, name: str) -> None:
    job = client.job(name, items=["a"])
    job.report([{"key": "a", "status": "completed"}])
    code, out, _ = run("watch", str(job.id))
    assert code == 0
    assert out.endswith("completed  100 %  1/1 done  Completed\n")
    assert json.loads(run("watch", name, "--json")[1])["status"] == "completed"
    client.job(f"{name}/2", phases=[{"code": "fit"}]).fail("no")
    assert run("watch", f"{name}/2")[0] == 1


def test_acts_change_the_job_and_keep_the_reason(run: Run, client: Client, name: str) -> None:
    job = client.job(name, items=["a", "b", "c"])
    job.report([{"key": "a", "status": "failed", "error": "disk 7"}, {"key": "c", "status": "failed"}])
    said = [
        run("retry", name, "--error", "disk #", "--reason", "a new disk"),
        run("retry", name, "--key", "c"),
        run("release", name, "--all"),
        run("lift", name, "--worker", "w1"),
        run("pause", name),
        run("resume", name),
        run("skip", name, "--key", "a"),
        run("threshold", name, "items", "90"),
        run("force-complete", name, "--reason", "enough"),
        run("restart", name, "items"),
        run("fail", name),
        run("cancel", name),
    ]
    assert [code for code, _, _ in said] == [0] * 12
    assert said[0][1].splitlines()[0] == "1 failed item is pending again."
    assert said[2][1].splitlines()[0] == "Nothing changed. No item is held."
    assert "a new disk" in [row["reason"] for row in job.timeline()["results"]]
    assert job.refresh().status == "cancelled"
    answer: dict[str, Any] = json.loads(run("retry", f"{client.job(f'{name}/2', items=['a']).id}", "--json")[1])
    assert answer["changed"] == 0


def test_exit_codes(run: Run, client: Client, site: Site, name: str) -> None:
    client.job(name, items=[])
    assert run("show", "unknown")[0] == 3
    code, _, error = run("pause", name)
    assert (code, "completed" in error, error.startswith("progress: ")) == (4, True, True)
    assert run("force-complete", name)[0] == 2
    assert run("fly", name)[0] == 2
    assert run("list", token="")[0] == 2
    assert run("list", token="wrong")[::2] == (1, "progress: Invalid token.\n")
    assert run("retry", name, token=site.token)[0] == 1
    assert main.main(["--url", "http://127.0.0.1:9", "--token", "x", "--patience", "0", "list"]) == 1
    assert run("threshold", name, "items", "900")[0] == 2
    assert run("threshold", name, "nothing", "90")[0] == 3
    assert run("skip", name)[0] == 2
    assert run("skip", name, "--key", "nothing")[0] == 3
    assert run("skip", name, "--item", "999999999")[0] == 4


def test_replay_says_whether_anything_waits(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRESS_JOURNAL", str(folder))
    assert run("replay")[:2] == (0, "All outcomes are sent.\n")


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_fits_the_terminal(client: Client, name: str, width: int) -> None:
    body = client.job(name + "-with-a-long-name" * 5, items=["a"]).body
    style = TerminalStyle(width=width, colour=False, icons=True)
    for lines in (renderers.job_list([body], style), renderers.live_lines(body, style), renderers.job(body, [], style)):
        assert max(len(line) for line in lines) <= max(width, 60)


@pytest.mark.parametrize(("variables", "colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_on_a_terminal_there_are_bars_and_colours(
    client: Client, site: Site, operator: str, name: str, variables: dict[str, str], colours: bool
) -> None:
    client.job(name, items=["a"]).report([{"key": "a", "status": "completed"}])
    near, far = pty.openpty()
    own = {"PROGRESS_URL": site.url, "PROGRESS_TOKEN": operator, "PYTHONPATH": str(PACKAGE), "TERM": "xterm"}
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    command = [sys.executable, "-c", COMMAND, "watch", name]
    process = subprocess.Popen(command, env={**environment, **own, **variables}, stdout=far)
    assert process.wait(20) == 0
    said = os.read(near, 65_536).decode()
    assert ("\x1b[32m" in said) is colours
    assert ("█" * renderers.BAR in said) is (variables.get("TERM") != "dumb")


def test_incidents_are_listed_shown_and_worked_off(run: Run, client: Client, name: str) -> None:
    phase = {"code": "items", "on_shortfall": "fail"}
    job = client.job(name, items=["a"], project=name, phases=[phase])
    job.report([{"key": "a", "status": "failed", "error": "disk full"}])
    head, row = run("incidents", "list", "--project", name)[1].splitlines()
    assert head.split() == [column.title for column in incidents.COLUMNS]
    number = row.split()[0]
    assert row.split()[1:] == ["open", "job_failed", name, "1", "Generic", "jobs", "failed:", "disk", "full"]
    assert run("incidents", "acknowledge", number, "--note", "On it.") == (0, "On it.\n", "")
    assert run("incidents", "snooze", number, "--until-grows")[1] == "Snoozed until it has more than 1 job.\n"
    assert run("incidents", "snooze", number, "--until", "tomorrow")[0] == 2
    assert run("incidents", "assign", number, "operator")[1] == "Assigned to operator.\n"
    shown = run("incidents", "show", number)[1].splitlines()
    assert shown[1].startswith("snoozed since 20")
    assert f"  {name} failed" in shown
    assert [line.partition("operator ")[2] for line in shown if "operator acknowledge" in line] == [
        "acknowledge: On it."
    ]
    acted = json.loads(run("incidents", "resolve", number, "--reason", "Old.", "--json")[1])
    assert (acted["changed"], acted["incident"]["state"]) == (1, "resolved")
    assert run("incidents", "list", "--project", name) == (0, "", "progress: No incidents match.\n")
    assert json.loads(run("incidents", "list", "--project", name, "--json")[1]) == []
    resolved = json.loads(run("incidents", "list", "--project", name, "--state", "resolved", "--json")[1])
    assert [str(body["id"]) for body in resolved] == [number]


def test_the_exit_codes_of_incidents(run: Run) -> None:
    assert run("incidents", "show", "999999")[0] == 3
    assert run("incidents", "list", "--kind", "unknown")[0] == 2
    assert run("incidents", "resolve", "7")[0] == 2
    assert run("incidents", "--help")[0] == 0
