"""Programs of a worker's author that use an integration, each a process over the site of the tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from progress_client.integrations import problems, reporter

from tests.client.grounds import environment
from tests.examples.site import Site

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Count every twentieth of a second, and log each problem again."""
    monkeypatch.setattr(reporter, "EVERY_SECONDS", 0.05)
    problems._logged.clear()
    yield
    problems.shared_client.cache_clear()


@pytest.fixture
def variables(site: Site, folder: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a program of a worker's author."""
    made = environment(site.url, site.token, journal=folder)
    made.pop("DJANGO_SETTINGS_MODULE", None)  # Celery would start Django
    return {**made, "PYTHONPATH": f"{made['PYTHONPATH']}:{tmp_path}", "C_FORCE_ROOT": "1"}


@pytest.fixture
def program(variables: dict[str, str], tmp_path: Path) -> Program:
    """Run a text as a program."""

    def run(code: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.py").write_text(code)
        words = [sys.executable, "program.py", *arguments]
        return subprocess.run(
            words, cwd=tmp_path, env={**variables, **more}, capture_output=True, text=True, timeout=60, check=False
        )

    return run
