"""Clients that are generated from the document drive a job of a real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.site import Site

HERE = Path(__file__).parent
DRIVEN = {
    "finished": "completed",
    "payload": {"bytes": 3},
    "outcomes": ["applied", "applied"],
    "problem": "not_found",
    "removed": 1,
}


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Run a program in this folder and return what it prints."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout, done.stdout
    return done.stdout


def answer_of(output: str) -> Any:
    """Return the JSON of the last line."""
    return json.loads(output.splitlines()[-1])


def test_a_python_client_drives_a_job(site: Site, openapi: Path, tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    generate = [programs / "openapi-python-client", "generate", "--meta", "none", "--path", openapi]
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"  # it formats what it writes with ruff
    run(*generate, "--output-path", "progress_api", folder=tmp_path, PATH=path)
    script = shutil.copy(HERE / "drive.py", tmp_path)
    driven = run(sys.executable, script, site.url, site.tokens["operator"], "generated-python", folder=tmp_path)
    assert answer_of(driven) == DRIVEN


@pytest.mark.npm
def test_a_typescript_client_drives_a_job(site: Site, openapi: Path, packages: Path, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name in ("drive.ts", "tsconfig.json"):
        shutil.copy(HERE / name, tmp_path)
    programs = packages / "node_modules/.bin"
    run(programs / "openapi-typescript", openapi, "-o", "schema.d.ts", folder=tmp_path)
    run(programs / "tsc", folder=tmp_path)
    driven = run("node", "drive.js", site.url, site.tokens["operator"], "generated-typescript", folder=tmp_path)
    assert answer_of(driven) == DRIVEN
