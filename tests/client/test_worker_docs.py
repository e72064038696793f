"""The scripts and recipes of docs/shell.md, docs/executors.md and examples run as they are written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.client.grounds import counts, environment
from tests.examples.document_blocks import block
from tests.examples.site import ROOT, Site

SCRIPTS = {
    "nightly.sh": "docs/shell.md#One command",
    "compress.sh": "docs/shell.md#A command for each item of a list",
    "count.sh": "docs/shell.md#A command for each item of a list (2)",
    "import.sh": "docs/shell.md#Jobs and counts",
    "threads.py": "docs/executors.md#Threads",
    "processes.py": "docs/executors.md#Processes",
    "parallel.py": "docs/executors.md#joblib",
}
NAMES = ["a b.txt", "-n.txt", "new\nline.txt", "$(id) 'x' \"y\".txt", "{}.txt"]
Run = Callable[..., str]


@pytest.fixture
def run(site: Site, folder: Path, tmp_path: Path) -> Run:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/progress"
    command.write_text(f"#!{sys.executable}\nfrom progress_client.command.main import run\nrun()\n")
    command.chmod(0o755)

    def call(*words: str, code: int = 0, **more: str) -> str:
        own = environment(site.url, site.token, journal=folder)
        own["PATH"] = f"{command.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            words, cwd=tmp_path, env={**own, **more}, capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    return call


@pytest.fixture
def document(run: Run, tmp_path: Path) -> Run:
    """Run a block that begins with the name of this file."""

    def call(file: str, *arguments: str) -> str:
        text = block(SCRIPTS[file])
        assert text.startswith(f"# {file}")
        (tmp_path / file).write_text(text)
        return run("sh" if file.endswith(".sh") else sys.executable, file, *arguments)

    return call


@pytest.fixture
def files(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    for number, name in enumerate(NAMES):
        (made / name).write_text("x" * number)
    return made


def test_one_command(document: Run, files: Path, site: Site) -> None:
    document("nightly.sh", str(files))
    assert counts(site, "nightly-backup") == (1, 0, 0, 0)
    document("nightly.sh", str(files))
    assert counts(site, "nightly-backup") == (2, 0, 0, 0)
    assert files.with_suffix(".tar.gz").stat().st_size


def test_a_command_for_each_file(document: Run, files: Path, site: Site, name: str) -> None:
    document("compress.sh", str(files), name)
    assert sorted(path.name for path in files.glob("*.gz")) == sorted(f"{name}.gz" for name in NAMES)
    assert counts(site, name) == (len(NAMES), 0, 0, 0)


def test_a_shell_for_each_file(document: Run, files: Path, site: Site, name: str) -> None:
    document("count.sh", str(files), name)
    assert [(files / f"{name}.size").read_text().strip() for name in NAMES] == list("01234")


def test_jobs_and_counts(document: Run, site: Site, name: str) -> None:
    document("import.sh", name)
    job = site.job(name)
    assert job is not None
    assert (job["status"], job["phases"][0]["done"]) == ("completed", 3)


@pytest.mark.parametrize("file", ["threads.py", "processes.py", "parallel.py"])
def test_recipes(document: Run, site: Site, name: str, file: str) -> None:
    assert document(file, name) in ("", "3\n")
    assert counts(site, name) == (3, 0, 0, 0)


def test_slurm_runs_each_task_of_an_array_until_it_has_succeeded(run: Run, site: Site, tmp_path: Path) -> None:
    script = tmp_path / "align"
    script.write_text('#!/bin/sh\necho "task $1"\nexit $(($1 == 2))\n')
    script.chmod(0o755)
    task = {"SLURM_JOB_NAME": "align", "SLURM_ARRAY_JOB_ID": "17", "ALIGN": str(script)}
    slurm = ("sh", str(ROOT / "examples/slurm_array.sh"))
    assert run(*slurm, SLURM_ARRAY_TASK_ID="1", **task) == "task 1\n"
    assert run(*slurm, SLURM_ARRAY_TASK_ID="2", **task, code=1) == "task 2\n"
    assert run(*slurm, SLURM_ARRAY_TASK_ID="1", **task) == ""
    assert counts(site, "align-17") == (1, 1, 0, 0)


def test_the_steps_of_the_workflow_are_items_of_one_job(run: Run, site: Site, tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / "examples/github_action.yml").read_text())
    (tmp_path / "Makefile").write_text("build test:\n\t@echo made $@\n")
    steps = [step["run"] for step in workflow["jobs"]["nightly"]["steps"] if "run" in step]
    target = str(tmp_path / "target")
    said = [
        run("bash", "-eo", "pipefail", "-c", step, JOB="nightly 1", PIP_TARGET=target, PIP_QUIET="1", PYTHONPATH=target)
        for step in steps
    ]
    assert said[2:] == ["made build\n", "made test\n"]
    assert (tmp_path / "target/progress_client/__init__.py").exists()
    assert counts(site, "nightly%201") == (2, 0, 0, 0)
    assert site.job("nightly%201")["status"] == "completed"  # type: ignore[index]
