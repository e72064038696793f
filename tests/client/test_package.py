"""The package itself: installable, typed, for old Pythons, without a dependency."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.client.grounds import PACKAGE

SOURCES = sorted((PACKAGE / "progress_client").rglob("*.py"))
OLDEST = (3, 9)
BY_CHOICE = {"tqdm"}
INTEGRATIONS = PACKAGE / "progress_client/integrations"


def test_it_is_written_in_the_oldest_python_that_it_promises() -> None:
    for path in SOURCES:
        ast.parse(path.read_text(), feature_version=OLDEST)
    command = [sys.executable, "-m", "ruff", "check", "--target-version", "py39", str(PACKAGE)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_it_needs_nothing_but_the_standard_library() -> None:
    imported = {
        name.partition(".")[0]
        for path in SOURCES
        if path.parent != INTEGRATIONS
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {*sys.stdlib_module_names, "progress_client", *BY_CHOICE}


def test_each_library_of_an_integration_is_an_extra() -> None:
    extras = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    shared = {"futures", "loops", "problems", "reporter", "runs", "tasks", "training"}
    assert {path.stem for path in INTEGRATIONS.glob("[!_]*.py")} - shared <= extras.keys()


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    assert [path.name for path in SOURCES if len(path.read_text().splitlines()) > 300] == []


def test_its_types_are_whole() -> None:
    command = [sys.executable, "-m", "mypy", "--config-file", "client/pyproject.toml", "client/progress_client"]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def old_python() -> str:
    """The oldest Python of this machine that the package is for."""
    found = [shutil.which(f"python3.{minor}") for minor in range(9, 14)]
    pyenv = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.9.*/bin/python"))
    usable = [str(path) for path in [*pyenv, *found] if path and _runs(str(path))]
    return [*usable, sys.executable][0]


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", "import venv, ssl"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtualenv of an old Python, with the package in it."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([old_python(), "-m", "venv", str(folder / "venv")], check=True)
    shutil.copytree(PACKAGE, folder / "client", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, str(folder / "client")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "venv/bin"


def test_it_installs_with_its_command_and_its_types(installed: Path) -> None:
    said = subprocess.run([installed / "progress", "--help"], capture_output=True, text=True, check=True, cwd="/")
    assert "force-complete" in said.stdout
    code = (
        "import progress_client, pathlib; print(pathlib.Path(progress_client.__file__).with_name('py.typed').exists())"
    )
    command = [installed / "python", "-W", "error", "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout == "True\n"


def test_an_old_python_runs_the_loop(installed: Path, site, operator: str, name: str, folder: Path) -> None:  # type: ignore[no-untyped-def]
    code = """
import asyncio, sys
from progress_client import AsyncClient, Client
with Client() as client:
    for item in client.job(sys.argv[1], items=["a", "b"]).claim(batch=1):
        with item:
            break
async def rest():
    async with AsyncClient() as client:
        async for item in (await client.job(sys.argv[1])).claim():
            async with item:
                print(item.key)
asyncio.run(rest())
"""
    own = {"PROGRESS_URL": site.url, "PROGRESS_TOKEN": operator, "PROGRESS_JOURNAL": str(folder)}
    command = [installed / "python", "-c", code, name]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False, cwd="/")
    assert (done.stdout, done.returncode) == ("b\n", 0), done.stderr
