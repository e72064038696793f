"""The examples of the guide run as they are written, and the README names nothing that is not there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import progress_client
import pytest
from progress_client import AsyncClient, Client, Job, ProgressTracker
from progress_client.command.options import parser

from tests.client.grounds import PACKAGE, environment, phase_of
from tests.examples.document_blocks import block, blocks_of, documents
from tests.examples.site import Site

GUIDE = (PACKAGE / "WRITE_A_WORKER.md").read_text()
README = (PACKAGE / "README.md").read_text()


# The blocks of the guide that tests/test_documents.py asks for, each with the file that it begins with.
EXAMPLES = {
    "hash_files.py": "client/WRITE_A_WORKER.md#The claim loop",
    "fit_model.py": "client/WRITE_A_WORKER.md#A service that only counts",
    "embed_frames.py": "client/WRITE_A_WORKER.md#A service that is driven by events",
    "count_words.sh": "client/WRITE_A_WORKER.md#A worker in shell",
}


def example(file: str) -> str:
    """Return the example of the guide that begins with the name of this file."""
    text = block(EXAMPLES[file])
    assert text.startswith(f"# {file}")
    return text


@pytest.fixture
def run(site: Site, folder: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    def call(file: str, *arguments: str, said: str = "") -> str:
        script = tmp_path / file
        script.write_text(example(file))
        with_what = ["sh"] if file.endswith(".sh") else [sys.executable]
        done = subprocess.run(
            [*with_what, str(script), *arguments],
            env=environment(site.url, site.token, journal=folder),
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.fixture
def files(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    for name, text in (("a.txt", "one two"), ("b.txt", ""), ("c.txt", "three")):
        (made / name).write_text(text)
    return made


def test_the_claim_loop(run, files: Path, site: Site, name: str) -> None:  # type: ignore[no-untyped-def]
    assert run("hash_files.py", str(files), name) == "completed 2\n"
    (files / "d.txt").write_text("new")
    assert run("hash_files.py", str(files), name) == "completed 3\n"
    phase = phase_of(site, name)
    assert (phase["done"], phase["failed"]) == (3, 1)


def test_the_worker_with_retries_and_logs(site: Site, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRESS_JOURNAL", str(files.parent / "journal"))
    names: dict[str, Any] = {}
    exec(block("docs/workers.md#Retries and logs"), names)
    folder = str(files)
    names["hash_files"](site.url, site.token, [folder, f"{folder}/a.txt"])
    job = site.job("hashes")
    assert job is not None
    rows = {item["key"]: item for item in site.items(job)}
    assert (rows[folder]["status"], rows[folder]["failures"]) == ("failed", 1)
    assert rows[f"{folder}/a.txt"]["result"] == {"bytes": 7}


def test_the_service_that_counts(run, site: Site, name: str) -> None:  # type: ignore[no-untyped-def]
    assert run("fit_model.py", name, "5") == "error 0.0312\n"
    phase = phase_of(site, name)
    assert (phase["status"], phase["done"], phase["expected"]) == ("completed", 5, 5)


def test_the_service_that_is_driven_by_events(run, site: Site, name: str) -> None:  # type: ignore[no-untyped-def]
    frames = [{"job_id": name, "frame": frame} for frame in ("1", "2", "2", "3.broken", *map(str, range(4, 11)))]
    total = {"job_id": name, "total_frames": 10, "event_id": "6f1c0a52-2b0b-4c43-9d38-0c2b7a1f0001"}
    messages = [*frames[:3], total, total, *frames[3:]]
    run("embed_frames.py", said="\n".join(map(json.dumps, messages)))
    phase = phase_of(site, name)
    assert (phase["status"], phase["done"], phase["failed"], phase["partial"]) == ("completed", 9, 1, True)


def test_the_worker_in_shell(run, files: Path, site: Site, name: str) -> None:  # type: ignore[no-untyped-def]
    assert run("count_words.sh", str(files), name).splitlines() == ["a.txt 2", "b.txt 0", "c.txt 1"]
    assert phase_of(site, name)["status"] == "completed"


def test_the_example_of_the_tracker(
    site: Site, operator: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = block("docs/migrating.md#The SQLite image tracker")
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "images" / name).write_bytes(b"an image")
    (tmp_path / "images" / "c.jpg").symlink_to("missing")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(site.url, operator, journal=folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("2 processed\n", 0), done.stderr


def test_the_worker_of_the_front_page(site: Site, folder: Path, tmp_path: Path) -> None:
    code = block("README.md#A worker in twelve lines")
    (tmp_path / "photos").mkdir()
    for letter in "abc":
        (tmp_path / "photos" / f"{letter}.jpg").write_bytes(b"a picture")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(site.url, site.token, journal=folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("completed\n", 0), done.stderr
    job = site.job("photos")
    assert job is not None
    assert [row["result"] for row in site.items(job)] == [{"bytes": 9}] * 3


def test_the_worker_of_the_readme(site: Site, folder: Path, name: str) -> None:
    code = block("client/README.md#progress_client (2)").replace("http://127.0.0.1:8000", site.url)
    given = f"secret, paths, process = {site.token!r}, ['a', 'bc'], len\n"
    done = subprocess.run(
        [sys.executable, "-c", given + code.replace("batch_001", name)],
        env=environment(site.url, "", journal=folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    job = site.job(name)
    assert job is not None
    assert [row["result"] for row in site.items(job)] == [{"value": 1}, {"value": 2}]


NASTY = [
    "a,b.txt",
    'a"b.txt',
    "a{b}.txt",
    "a\\b.txt",
    "a'b $HOME `id`.txt",
    "-n.txt",
    "a: [1].txt",
    "ä \u2028.txt",
    "a\nb.txt",
]


def test_the_worker_in_shell_survives_every_name(run, tmp_path: Path, site: Site, name: str) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / 'f, "o" {l}'
    folder.mkdir()
    for number, file in enumerate(NASTY):
        (folder / file).write_text("word " * number)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xe9.txt")).write_text("not UTF-8")
    job_name = f'{name}, "q" {{}}'
    run("count_words.sh", str(folder), job_name)
    job = site.job(quote(job_name))
    assert job is not None
    found = {row["key"]: (row["status"], row["result"].get("words")) for row in site.items(job)}
    assert found.pop("\ufffd.txt") == ("failed", None)
    assert found == {file: ("completed", number) for number, file in enumerate(NASTY)}
    assert len({row["worker"] for row in site.items(job)}) == 1
    assert job["status"] == "completed"


def test_the_examples_name_no_worker_that_two_processes_would_share() -> None:
    ours = [block.text for path in documents() for block in blocks_of(path)]
    for text in (GUIDE, README, *ours):
        assert not re.search(r'worker="|--arg worker [^"]', text)


def test_the_readme_names_what_there_is() -> None:
    for error in re.findall(r"^\| `(\w+)` \|", README, flags=re.MULTILINE):
        assert error in (*progress_client.__all__, "url", "token", "worker", "version", "retry_for", "journal", "ca")
    tracker = README.partition("## The image tracker")[2].partition("Differences from the old tracker")[0]
    for method in re.findall(r"`(\w+)`", tracker):
        assert hasattr(ProgressTracker, method) or method == "Status"
    verbs = README.partition("Every REST call has a method of the same name:")[2].partition("They return")[0]
    for verb in re.findall(r"`(\w+)`", verbs):
        assert hasattr(Job, verb)
    assert hasattr(AsyncClient, "replay")
    assert hasattr(Client, "stop")


def test_the_readme_names_every_command() -> None:
    commands = README.partition("## The command")[2].partition("## ")[0]
    named = {
        name for names in re.findall(r"^progress (\S+)", commands, flags=re.MULTILINE) for name in names.split("|")
    }
    [action] = parser()._subparsers._group_actions  # type: ignore[union-attr]
    assert named == {*action.choices}  # type: ignore[misc]
