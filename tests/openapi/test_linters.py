"""The document passes the linters that integrators use."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.npm


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["redocly", "lint", "--extends", "recommended", "--max-problems", "20"], id="redocly"),
        pytest.param(["spectral", "lint", "--fail-severity", "hint", "-r", str(HERE / "spectral.yaml")], id="spectral"),
    ],
)
def test_a_linter_finds_no_problem(packages: Path, openapi: Path, command: list[str]) -> None:
    program, *arguments = command
    done = subprocess.run(
        [packages / "node_modules/.bin" / program, *arguments, openapi], capture_output=True, text=True, timeout=120
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "warning  " not in said, said
