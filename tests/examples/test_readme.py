"""The README's quick start does what it says, as it is written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.examples.site import ROOT, environment, serving

PYTHON = ".venv/bin/python"


def quick_start() -> str:
    """The shell block of the README, with the Python of this test run."""
    [block] = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert PYTHON in block
    return block.replace(PYTHON, sys.executable)


def test_the_five_requests_of_the_readme_run_as_written(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", quick_start()],
            cwd=ROOT,
            env={**environment(site.database), "PROGRESS_URL": site.url},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        created, claimed, beaten, reported, looked = map(json.loads, run.stdout.split("\n")[:5])
    assert created["phases"][0]["expected"] == 3
    assert [item["key"] for item in claimed["items"]] == ["a.jpg", "b.jpg"]
    assert len(beaten["leases"]) == 2
    assert [result["outcome"] for result in reported["results"]] == ["applied", "applied"]
    assert (looked["status"], looked["percent"], looked["settled_percent"]) == ("processing", 33, 66)
    assert looked["error"] == "b.jpg failed: truncated file"


def test_every_path_that_the_readme_names_is_there() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"\]\(((?!http)[^)#]+)\)", text)) | set(re.findall(r"`(jobs/[\w/.]+)`", text))
    missing = [name for name in sorted(named) if not (ROOT / name.rstrip("/")).exists()]
    assert named
    assert not missing, os.linesep.join(missing)
