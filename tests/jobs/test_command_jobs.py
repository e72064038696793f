"""manage.py jobs, as it is called from a shell: output, effects and exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.management.terminal import arguments
from jobs.models import Job
from jobs.rules.pipelines import PhaseSpec
from jobs.serializers import encode, job_body
from tests.factories import item_of, job_in, make_job, operator, phase_of, pipeline, take, tell, working_job

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = ["ID", "STATUS", "%", "JOB", "KIND", "DONE/EXPECTED", "FAILED", "RATE", "ETA", "STAGE"]
pytestmark = pytest.mark.django_db


def run(*words: object) -> str:
    """Return the output of the command."""
    out = StringIO()
    call_command("jobs", *map(str, words), stdout=out, stderr=StringIO())
    return out.getvalue()


def read_json(*words: object) -> Any:
    """Return the output of the command as JSON."""
    return json.loads(run(*words, "--json"))


def fails(*words: object) -> tuple[int, str]:
    """Return the exit code of a command that fails, and its sentence."""
    with pytest.raises((CommandError, SystemExit)) as caught:
        run(*words)
    error = caught.value
    return (error.code, "") if isinstance(error, SystemExit) else (error.returncode, str(error))


# --- reading -------------------------------------------------------------------------------------


def test_the_list_is_a_table_of_jobs_the_latest_change_first() -> None:
    make_job(name="first", items=4, done=1)
    make_job(name="second", items=10, done=8, failed=2)
    head, *lines = [line.split() for line in run("list").splitlines()]
    assert head == COLUMNS
    assert [line[1:7] for line in lines] == [
        ["partial", "100", "second", "generic", "8/10", "2"],
        ["processing", "25", "first", "generic", "1/4", "0"],
    ]
    assert lines[1][-2:] == ["Processing", "1/4"]


def test_the_list_as_json_is_that_of_the_api() -> None:
    job = make_job(items=4, done=1)
    assert read_json("list") == [json.loads(encode(job_body(job)))]


FILTERS = [
    (["--status", "completed"], ["done", "odd"]),
    (["--partial"], ["odd"]),
    (["--stuck"], ["lost"]),
    (["--kind", "vision"], ["seen"]),
    (["--project", "matter-7"], ["lost"]),
    (["--name", "odd"], ["odd"]),
    (["--q", "O"], ["done", "lost", "odd"]),
    (["--ordering=-name", "--limit", "2"], ["seen", "odd"]),
    (["--ordering=name", "--limit", "1"], ["done"]),
]


@pytest.mark.parametrize(("options", "names"), FILTERS, ids=[" ".join(row[0]) for row in FILTERS])
def test_the_list_has_the_filters_of_the_api(options: Sequence[str], names: list[str]) -> None:
    make_job(name="done", items=1, done=1)
    make_job(name="odd", items=2, done=1, failed=1)
    make_job(name="seen", kind="vision", phases=[], asset_types=["image"])
    Job.objects.filter(pk=make_job(name="lost", items=2, project="matter-7").pk).update(stuck="silent")
    found = [body["name"] for body in read_json("list", *options)]
    assert (found if "--limit" in options else sorted(found)) == names


def test_the_list_says_that_there_are_more() -> None:
    for _ in range(3):
        make_job(items=1)
    out, beside = StringIO(), StringIO()
    call_command("jobs", "list", "--limit", "2", stdout=out, stderr=beside)
    assert (len(out.getvalue().splitlines()), beside.getvalue()) == (
        3,
        "There are more jobs. Raise --limit to list them.\n",
    )


def test_an_empty_list_says_so_beside_the_output() -> None:
    assert run("list") == ""
    assert read_json("list") == []


def test_a_list_costs_as_many_queries_for_one_job_as_for_many() -> None:
    costs = []
    for number in (1, 30):
        for _ in range(number):
            make_job(items=3, done=1)
        with CaptureQueriesContext(connection) as captured:
            run("list")
        costs.append(len(captured))
    assert costs == [4, 4]


def test_show_has_the_job_a_row_for_each_phase_and_the_errors() -> None:
    job = pipeline(PhaseSpec("ocr", label="OCR"), PhaseSpec("merge", gated=True), items=None)
    for number in range(3):
        tell(phase_of(job, "ocr"), f"k{number}", "failed", error=f"timeout after {number} s")
    text = run("show", job.name)
    first = [line.split()[0] for line in text.splitlines() if line]
    assert first == ["ID", str(job.pk), "k2", "PHASE", "ocr", "merge", "COUNT", "3"]
    assert "timeout after 2 s" in text
    body = read_json("show", job.pk)
    assert (body["id"], [group["count"] for group in body["errors"]]) == (job.pk, [3])


def test_a_job_is_named_by_its_id_or_its_name_and_an_id_goes_first() -> None:
    job = make_job(name="batch_001", items=1)
    other = make_job(name=str(job.pk), items=1)
    assert [read_json("show", word)["id"] for word in (job.pk, "batch_001")] == [job.pk, job.pk]
    job.delete()
    assert read_json("show", other.name)["id"] == other.pk


def test_the_report_has_the_figures_of_each_split() -> None:
    job = make_job(name="three", items=3, done=2)
    assert run("report", "three").splitlines()[:3] == ["three", "  total      3", "  processed  2 (66.7%)"]
    assert read_json("report", job.pk)["by_split"] == {"": {"completed": 2, "pending": 1}}


def test_what_workers_say_cannot_command_a_terminal() -> None:
    job = make_job(name="bad\x1b[2Jname\n", items=2)
    tell(phase_of(job), "k0", "failed", error="\x1b]0;title\x07 gone\u202e")
    for words in (["list"], ["show", job.pk], ["watch", job.pk], ["report", job.pk], ["cancel", job.pk]):
        if words[0] == "watch":
            tell(phase_of(job), "k1", "completed")
        text = "" if words[0] == "cancel" else run(*words)
        assert not [char for char in text if not char.isprintable() and char != "\n"]
    assert "\x1b" not in fails("cancel", job.pk)[1]


# --- acting --------------------------------------------------------------------------------------


def waiting() -> Job:
    """A job of two phases with failed items."""
    return make_job(items=5, done=1, failed=2)


ACTS: list[tuple[list[str], Callable[[], Job], int]] = [
    (["retry"], waiting, 2),
    (["retry", "--phase", "items"], waiting, 2),
    (["retry", "--key", "k1", "--key", "k2"], waiting, 2),
    (["retry", "--error", "unknown error"], waiting, 2),
    (["retry", "--error", "another one"], waiting, 0),
    (["release"], working_job, 0),
    (["release", "--all"], working_job, 1),
    (["release", "--all", "--key", "k2"], working_job, 1),
    (["skip", "--key", "k3", "--key", "k4"], waiting, 2),
    (["force-complete", "--reason", "enough"], waiting, 1),
    (["force-complete", "--phase", "items", "--reason", "enough"], waiting, 1),
    (["fail"], waiting, 1),
    (["cancel"], waiting, 1),
    (["pause"], waiting, 1),
    (["resume"], lambda: job_in("paused"), 1),
    (["threshold", "items", "20"], waiting, 1),
    (["threshold", "items", "100"], waiting, 0),
    (["restart", "items"], waiting, 3),
    (["restart", "items", "--only", "failed"], waiting, 2),
]


@pytest.mark.parametrize(("words", "make", "changed"), ACTS, ids=[" ".join(row[0]) for row in ACTS])
def test_each_act_does_what_it_says_and_answers_like_the_api(
    words: list[str], make: Callable[[], Job], changed: int
) -> None:
    job = make()
    name, *rest = words
    answer = read_json(name, job.name, *rest)
    assert set(answer) == {"changed", "refused", "detail", "job"}
    assert (answer["changed"], answer["job"]["id"]) == (changed, job.pk)
    assert answer["job"]["revision"] == Job.objects.get(pk=job.pk).revision == job.revision + bool(changed)


def test_an_act_says_what_it_did_and_shows_the_job() -> None:
    job = waiting()
    said, _, line = run("retry", job.pk, "--reason", "storage is back").splitlines()
    assert (said, line.split()[1]) == ("2 failed items are pending again.", "processing")
    assert run("retry", job.pk).startswith("Nothing changed. There are no failed items to retry.")


def test_the_shell_s_user_and_the_reason_are_in_the_timeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments.getpass, "getuser", lambda: "olga")
    job = waiting()
    run("retry", job.pk, "--reason", "storage is back")
    event = job.events.get(type="operator.retry")
    assert (event.actor, event.account, event.reason) == ("olga", None, "storage is back")


def test_a_user_that_the_system_does_not_know_is_written_down_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(arguments.getpass, "getuser", unknown)
    job = waiting()
    run("pause", job.pk)
    assert job.events.get(type="operator.pause").actor == f"uid {os.getuid()}"


def test_an_account_acts_with_its_own_permissions_and_projects() -> None:
    account, job = operator("retry", projects=["red"]), make_job(items=1, failed=1, project="red")
    run("retry", job.pk, "--as", account.username)
    assert job.events.get(type="operator.retry").account == account
    code, sentence = fails("cancel", job.pk, "--as", account.username)
    assert (code, "jobs.cancel_job" in sentence) == (1, True)
    assert fails("retry", make_job(items=1, failed=1).pk, "--as", account.username)[0] == 3


def test_items_are_named_by_id_too_and_refusals_are_printed() -> None:
    job = waiting()
    fit, settled = item_of(job, "k4").pk, item_of(job, "k0").pk
    out, beside = StringIO(), StringIO()
    call_command("jobs", "skip", str(job.pk), "--item", str(fit), "--item", str(settled), stdout=out, stderr=beside)
    assert out.getvalue().startswith("1 item")
    assert beside.getvalue() == f"Item {settled} is completed; it cannot be skipped.\n"
    assert item_of(job, "k4").status == "skipped"


def test_a_live_lease_is_left_alone() -> None:
    job = make_job(items=2)
    [item, _] = take(phase_of(job))
    code, _ = fails("release", job.pk, "--item", item.id)
    assert (code, item_of(job, item.key).status) == (4, "processing")
