"""Directories of the tests with large sizes that a change affects; `.ci/run` runs them.

The change begins at the commit BASE, else at origin/main, else, on main itself, at the commit before. Everything
counts as changed if git cannot tell, and if several parts share a changed file.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TESTS_OF = {
    "client": ["tests/client"],
    "docs": [],
    "examples": ["tests/examples"],
    "jobs": ["tests/jobs"],
    "ocr_chunks": ["tests/ocr_chunks"],
    "templates": ["tests/e2e", "tests/jobs/pages"],
    "training": ["tests/training"],
}
DOCUMENTS = (".md", ".example")


def git(*arguments: str) -> str:
    """Return the output of git, or nothing if it fails."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def base() -> str:
    """Return the commit that the change began from, or nothing without one."""
    given = os.environ.get("BASE", "")
    common = git("merge-base", given or "origin/main", "HEAD")
    if given or (common and common != git("rev-parse", "HEAD")):
        return common
    return git("rev-parse", "--verify", "-q", "HEAD~1")


def tests_of(paths: list[str]) -> list[str]:
    """Return the directories of the tests of these paths; all of them for a path that several parts share."""
    found: set[str] = set()
    for path in paths:
        parts = path.split("/")
        if len(parts) > 2 and parts[0] == "tests":
            found.add("/".join(parts[:2]))
        elif parts[0] in TESTS_OF:
            found.update(TESTS_OF[parts[0]])
            if "/static/" in path or "/templates/" in path:
                found.add("tests/e2e")
        elif not path.endswith(DOCUMENTS):
            return ["tests"]
    return sorted(directory for directory in found if has_sizes(Path(directory)))


def has_sizes(directory: Path) -> bool:
    """Is there a test that has a large size?"""
    return any("mark.full" in path.read_text() for path in directory.rglob("test_*.py"))


if __name__ == "__main__":
    since = base()
    print(*(tests_of(git("diff", "--name-only", "--no-renames", since).splitlines()) if since else ["tests"]))
