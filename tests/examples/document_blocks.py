"""Code blocks of README, CONTRIBUTING and docs, run as they are written."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.examples.site import ROOT, Site, environment

PYTHON = ".venv/bin/python"
SHELL = "docs/quickstart.md#Connect a shell"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", flags=re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `name` is its document and heading: `docs/events.md#The feed`, the second ends in ` (2)`."""

    name: str
    language: str
    text: str


def documents() -> list[Path]:
    """Return README, CONTRIBUTING, the guides of the client and the pages of docs."""
    guides = sorted((ROOT / "client").glob("*.md"))
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *guides, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(path: Path) -> Iterator[Block]:
    """Yield the blocks of a document in their order."""
    text, numbers = path.read_text(), dict[str, int]()
    for found in FENCE.finditer(text):
        before = FENCE.sub("", text[: found.start()])
        place = f"{path.relative_to(ROOT)}#{HEADING.findall(before)[-1]}"
        numbers[place] = numbers.get(place, 0) + 1
        yield Block(place if numbers[place] == 1 else f"{place} ({numbers[place]})", found[1], found[2])


def block(name: str) -> str:
    """Return the text of the block of this name."""
    path = ROOT / name.partition("#")[0]
    [found] = [block.text for block in blocks_of(path) if block.name == name]
    return found


def script(*names: str) -> str:
    """Return these blocks in the shell of the quickstart, with the Python of this test run."""
    return "".join(block(name) for name in (SHELL, *names)).replace(PYTHON, sys.executable)


def variables(site: Site, **more: str) -> dict[str, str]:
    """Return the environment of a reader who works with this site."""
    return {**environment(site.database), "PROGRESS_URL": site.url, **more}


def run(*names: str, site: Site, folder: Path) -> str:
    """Run blocks in one shell, with temporary files in the folder; return what they print."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script(*names)],
        cwd=ROOT,
        env=variables(site, TMPDIR=str(folder)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(site: Site, *names: str, amqp: str = "") -> Iterator[Path]:
    """Run blocks that do not end by themselves, for as long as this takes; yield the file with their output."""
    seen, output = ROOT / "completions.seen", site.folder / "output"
    assert not seen.exists()
    command = ["bash", "-euo", "pipefail", "-c", script(*names)]
    with output.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables(site, AMQP_URL=amqp), stdout=out, start_new_session=True
        )
        try:
            yield output
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            seen.unlink(missing_ok=True)
