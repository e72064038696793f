"""`progress run`, `progress each` and the verbs of scripts, as processes against a real site."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from progress_client import Client

from tests.client.grounds import counts, environment, hear_interrupts
from tests.examples.site import Site, eventually, working

COMMAND = [sys.executable, "-c", "from progress_client.command.main import run; run()"]
Start = Callable[..., subprocess.Popen[bytes]]
Run = Callable[..., tuple[int, bytes, bytes]]

NAMES = [
    b"plain.txt",
    b"two words.txt",
    b"-rf",
    b"$(touch injected); `touch injected` | touch injected & \"quoted\" 'single'",
    b"{}",
    b"new\nline",
    b"tab\tand\\backslash\r",
    b"*?[a-z]~!#%",
    "ünïcödé 文件.jpg".encode(),
    b"caf\xe9.jpg",
    rb"caf\xe9.jpg",
    b"x" * 255 + b"/" + b"\xff" * 200,
    b"/".join([b"d" * 250] * 5),
]


@pytest.fixture
def start(site: Site, folder: Path, tmp_path: Path) -> Start:
    def call(*arguments: str, token: str = site.token, url: str = site.url) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment(url, token, journal=folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=hear_interrupts,
        )

    return call


@pytest.fixture
def run(start: Start) -> Run:
    def call(*arguments: str, given: bytes = b"", **options: str) -> tuple[int, bytes, bytes]:
        process = start(*arguments, **options)
        with working([process]):  # type: ignore[list-item]
            out, error = process.communicate(given, timeout=60)
        assert b"Traceback" not in error, error
        return process.returncode, out, error

    return call


def only_item(site: Site, name: str) -> dict[str, Any]:
    job = site.job(name)
    assert job is not None
    [item] = site.items(job)
    return item


def log_of(client: Client, name: str, item: int) -> str:
    job = client.find(name)
    assert job is not None
    return str(job.attempts(item)["results"][0]["log"])


# --- run -----------------------------------------------------------------------------------------


def test_run_is_one_item_with_the_output_and_the_exit_code_of_the_command(run: Run, site: Site, name: str) -> None:
    script = 'read line; echo "out $line"; echo err >&2'
    assert run("run", "--job", name, "--", "sh", "-c", script, given=b"in\n")[:3:2] == (0, b"err\n")
    item = only_item(site, name)
    assert (item["status"], item["result"]["exit_code"]) == ("completed", 0)
    assert item["label"].startswith("sh -c")
    assert counts(site, name) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("words", "code", "error", "tail"),
    [
        (["sh", "-c", "echo last words; exit 7"], 7, "exit code 7", "last words\n"),
        (["sh", "-c", "kill -9 $$"], 137, "ended by SIGKILL", None),
        (["no-such-command"], 127, "no-such-command cannot be run: No such file or directory", None),
        (["/etc/passwd"], 126, "/etc/passwd cannot be run: Permission denied", None),
    ],
)
def test_a_command_that_fails_is_a_failed_item_with_its_last_lines(
    run: Run, client: Client, site: Site, name: str, words: list[str], code: int, error: str, tail: str | None
) -> None:
    assert run("run", "--job", name, "--", *words)[0] == code
    item = only_item(site, name)
    assert (item["status"], item["error"]) == ("failed", error)
    if tail:
        assert log_of(client, name, item["id"]) == tail


def test_long_output_passes_whole_and_its_end_is_the_log(run: Run, client: Client, site: Site, name: str) -> None:
    code, out, _ = run("run", "--job", name, "--", "sh", "-c", "seq 200000; exit 1")
    assert (code, out) == (1, b"".join(b"%d\n" % number for number in range(1, 200_001)))
    log = log_of(client, name, only_item(site, name)["id"])
    assert log.endswith("199999\n200000\n")
    assert len(log) > 15_000


def test_a_reader_that_leaves_ends_the_command(run: Run, site: Site, name: str, start: Start) -> None:
    process = start("run", "--job", name, "--", "yes")
    with working([process]):  # type: ignore[list-item]
        assert process.stdout is not None
        assert process.stdout.read(2) == b"y\n"
        process.stdout.close()
        assert process.wait(20) == 128 + signal.SIGPIPE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_are_passed_on_and_the_end_of_the_command_counts(
    start: Start, site: Site, name: str, number: int
) -> None:
    script = (
        "import signal, sys, time\nsignal.signal(int(sys.argv[1]), lambda *_: sys.exit(5))\nprint('up', flush=True)\n"
    )
    process = start("run", "--job", name, "--", sys.executable, "-c", script + "time.sleep(60)", str(int(number)))
    with working([process]):  # type: ignore[list-item]
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(number)
        assert process.wait(20) == 5
    assert only_item(site, name)["error"] == "exit code 5"


def test_a_cancelled_job_ends_its_command(
    start: Start, site: Site, client: Client, operator: str, folder: Path, name: str
) -> None:
    process = start("run", "--job", name, "--", "sleep", "60")
    with working([process]):  # type: ignore[list-item]
        eventually(lambda: site.job(name) and counts(site, name)[2] == 1, what="the item in work")
        with Client(site.url, token=operator, journal=folder) as lead:
            lead.named(name).cancel()
        assert process.wait(30) == 128 + signal.SIGTERM


def test_the_lease_of_a_command_is_renewed(start: Start, site: Site, name: str) -> None:
    process = start("run", "--job", name, "--", "sleep", "60")
    with working([process]):  # type: ignore[list-item]
        eventually(lambda: site.job(name) and counts(site, name)[2] == 1, what="the item in work")
        first = only_item(site, name)["lease_expires_at"]
        eventually(lambda: only_item(site, name)["lease_expires_at"] > first, what="a renewal")


def test_the_same_key_again_is_run_until_it_succeeds(run: Run, site: Site, name: str) -> None:
    again = ("run", "--job", name, "--key", "7", "--threshold", "50", "--")
    assert run("run", "--job", name, "--key", "8", "--threshold", "50", "--", "true")[0] == 0
    assert run(*again, "false")[0] == 1
    assert run(*again, "true")[0] == 0
    code, out, error = run(*again, "echo", "no")
    assert (code, out) == (0, b"")
    assert b"is completed already; the command is not run" in error
    assert counts(site, name) == (2, 0, 0, 0)


def test_a_key_that_another_worker_holds_is_refused_with_its_name(run: Run, client: Client, name: str) -> None:
    [item] = [item for item in client.job(name, items=["7"]).claim() if client.stop() is None]
    code, out, error = run("run", "--job", name, "--key", "7", "--", "echo", "no")
    assert (code, out) == (125, b"")
    assert b"is held by w1; the command is not run" in error
    item.give_back()


def test_without_the_site_the_command_runs_unreported(run: Run) -> None:
    code, out, error = run("--retry-for", "0", "run", "--", "sh", "-c", "echo out; exit 3", url="http://127.0.0.1:9")
    assert (code, out) == (3, b"out\n")
    assert b"The command runs without a report" in error


def test_without_a_valid_token_the_command_does_not_run(run: Run) -> None:
    assert run("run", "--", "echo", "no", token="wrong")[:2] == (125, b"")
    assert run("run", "--", "echo", "no", token="")[:2] == (125, b"")
    assert run("run", "--job", "x")[0] == 2


# --- each ----------------------------------------------------------------------------------------


def test_each_survives_every_file_name(run: Run, site: Site, tmp_path: Path, name: str) -> None:
    script = "import os, sys; os.write(1, os.fsencode(sys.argv[1]) + bytes(1))"
    command = f"{sys.executable} -c '{script}' {{}}"
    code, out, error = run("each", "-0", "--job", name, "-j", "4", command, given=b"\0".join(NAMES))
    assert code == 0, error
    assert sorted(out.split(b"\0")[:-1]) == sorted(NAMES)
    assert not (tmp_path / "injected").exists()
    assert counts(site, name) == (len(NAMES), 0, 0, 0)
    # The keys stay the same, so nothing is done again.
    assert run("each", "-0", "--job", name, command, given=b"\0".join(NAMES))[:2] == (0, b"")


def test_each_reads_lines_and_puts_the_name_at_the_end_without_braces(run: Run, site: Site, name: str) -> None:
    code, out, error = run("each", "--job", name, "--", "echo", "-n", "x", given=b"a b\n\nc")
    assert (code, out) == (0, b"x a bx c")
    assert f"progress: 2 of 2 done, 0 failed; job {site.job(name)['id']} '{name}' is completed.".encode() in error  # type: ignore[index]


def test_each_goes_on_after_a_failure_and_says_so(run: Run, client: Client, site: Site, name: str) -> None:
    code, _, error = run("each", "--job", name, "sh -c 'echo said $0; exit $0'", given=b"0\n3\n0\n")
    assert code == 1
    assert b"1 of 2 done, 1 failed" in error
    rows = {item["key"]: item for item in site.items(site.job(name))}  # type: ignore[arg-type]
    assert rows["3"]["error"] == "exit code 3"
    assert log_of(client, name, rows["3"]["id"]) == "said 3\n"


def test_commands_in_parallel_run_at_once_and_do_not_mix_their_output(run: Run, tmp_path: Path, name: str) -> None:
    meet = (
        f'touch "{tmp_path}/$0"; while [ $(ls {tmp_path}/at-* | wc -l) -lt 3 ]; do sleep 0.02; done; echo $0; echo $0'
    )
    code, out, _ = run("each", "--job", name, "-j", "3", "--", "sh", "-c", meet, given=b"at-1\nat-2\nat-3\n")
    assert code == 0
    lines = out.split()
    assert lines[::2] == lines[1::2]
    assert sorted(set(lines)) == [b"at-1", b"at-2", b"at-3"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_each_that_is_asked_to_end_gives_its_items_back(start: Start, site: Site, name: str, number: int) -> None:
    process = start("each", "--job", name, "-j", "2", "sh -c 'exec sleep 60' {}")
    with working([process]):  # type: ignore[list-item]
        process.stdin.write(b"a\nb\nc\n")  # type: ignore[union-attr]
        process.stdin.close()  # type: ignore[union-attr]
        process.stdin = None
        eventually(lambda: site.job(name) and counts(site, name)[2] == 2, what="two commands")
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    assert counts(site, name) == (0, 0, 0, 3)


def test_two_machines_share_a_list(start: Start, site: Site, name: str) -> None:
    names = "".join(f"{number}\n" for number in range(20)).encode()
    processes = [start("each", "--job", name, "echo") for _ in range(2)]
    with working(processes):  # type: ignore[arg-type]
        for process in processes:
            process.stdin.write(names)  # type: ignore[union-attr]
            process.stdin.close()  # type: ignore[union-attr]
            process.stdin = None
        said = b"".join(process.communicate(timeout=60)[0] for process in processes)
    assert sorted(map(int, said.split())) == list(range(20))
    assert counts(site, name) == (20, 0, 0, 0)


# --- jobs and counts ------------------------------------------------------------------------------


def test_the_verbs_of_scripts_create_fill_and_finish_a_job(run: Run, site: Site, name: str) -> None:
    code, number, _ = run("create", name, "--phase", "load", "--phase", "fit", "--project", "p", "--retries", "2")
    assert (code, int(number)) == (0, site.job(name)["id"])  # type: ignore[index]
    assert run("add", name, "a", "b")[1] == b"2 added, 0 were there already.\n"
    assert run("add", name, "-0", given=b"a\0c\n\xff\0")[1] == b"1 added, 1 were there already.\n"
    assert run("add", name, "--", "-x")[1] == b"1 added, 0 were there already.\n"
    assert run("announce", name, "9", "--phase", "fit")[1] == b"Phase fit is pending: 0/9 done, 0 failed.\n"
    event = ("--event-id", "6f1f4b1e-7b0a-4a52-9d8e-2a2f8e6f9a10")
    assert run("count", name, "--phase", "fit", "--done", "3", "--failed", "1", *event)[1] == (
        b"Phase fit is processing: 3/9 done, 1 failed.\n"
    )
    assert run("count", name, "--phase", "fit", "--done", "3", "--failed", "1", *event)[1].startswith(
        b"Nothing changed."
    )
    body = json.loads(run("finish", name, "--phase", "fit", "--json")[1])
    assert (body["phase"]["status"], body["phase"]["completed_by"]) == ("completed", "finished")
    assert json.loads(run("create", name, "--json")[1])["project"] == "p"


def test_the_verbs_of_scripts_end_with_the_exit_codes_of_the_command(run: Run, name: str) -> None:
    assert run("add", "unknown", "a")[0] == 3
    assert run("create", name, "--expected", "0")[0] == 0
    assert run("add", name, "a")[0] == 4
    assert run("count", name)[0] == 2
    assert run("announce", name, "-1")[0] == 2
