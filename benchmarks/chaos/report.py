"""The result of a run: one line for each invariant, with its figure and what breaks it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Line:
    """One invariant."""

    name: str
    figure: str
    violations: list[str] = field(default_factory=list)


def say(text: str) -> None:
    """Print the current step on stderr."""
    sys.stderr.write(f"{time.strftime('%X')} {text}\n")


def printed(lines: Sequence[Line]) -> str:
    """Return the lines as text."""
    width = max((len(line.name) for line in lines), default=0)
    rows = []
    for line in lines:
        rows.append(f"{'FAIL' if line.violations else 'ok':4}  {line.name:{width}}  {line.figure}")
        rows += [f"      {violation}" for violation in line.violations]
    return "\n".join(rows) + "\n"
