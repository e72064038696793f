"""A soak: load without faults, and the resources of the processes after the first minute and at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.report import Line
from benchmarks.chaos.run import Run

FIRST_SECONDS = 60.0
CALM_SECONDS = 15.0
# A pool of threads fills slowly, each thread with its connection to the database: it may begin a few of them late. A
# leak grows without end.
GROWTH, LATE = 1.1, 4
WAL_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Usage:
    """The resources of one process."""

    threads: int
    descriptors: int
    memory: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Read the resources of a process."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(int(status["Threads"]), descriptors, int(status["VmRSS"].split()[0]) // 1024)


def soak(run: Run, *, seconds: float) -> list[Line]:
    """Load the site in two parts, and return what has grown between them, with the invariants."""
    run.site.start()
    first = min(FIRST_SECONDS, seconds / 3)
    _load(run, first)
    before, connections = _usage(run), run.site.database.connections()
    _load(run, seconds - first)
    after, connections_after = _usage(run), run.site.database.connections()
    lines = [usage_line(name, before[name], after[name]) for name in before]
    grown = connections_after > connections * GROWTH + LATE
    lines.append(
        Line(
            "connections", f"{connections} -> {connections_after}", ["more than after the first part"] if grown else []
        )
    )
    if run.site.database.is_sqlite:
        lines.append(_wal(run))
    return [*lines, *run.invariants()]


def _load(run: Run, seconds: float) -> None:
    run.start_load()
    run.restart_large()
    time.sleep(seconds)
    run.stop_load()
    run.stop_browsers()
    time.sleep(CALM_SECONDS)


def _usage(run: Run) -> dict[str, Usage]:
    return {member.name: Usage.of(member.pid) for member in [*run.site.servers, *run.site.helpers]}


def usage_line(name: str, before: Usage, after: Usage) -> Line:
    """Compare the resources of a process."""
    figure = (
        f"threads {before.threads} -> {after.threads}, descriptors {before.descriptors} -> {after.descriptors},"
        f" memory {before.memory} -> {after.memory} MiB"
    )
    more = [
        *(["more threads"] if after.threads > before.threads * GROWTH + LATE else []),
        *(["more descriptors"] if after.descriptors > before.descriptors * GROWTH + LATE else []),
        *(["more memory"] if after.memory > before.memory * GROWTH else []),
    ]
    return Line(f"resources of {name}", figure, more)


def _wal(run: Run) -> Line:
    size = run.site.database.wal.stat().st_size if run.site.database.wal.exists() else 0
    pages = run.site.ledger("checkpoint", {})
    figure = f"{size // 1024} KiB; {pages['written']} of {pages['pages']} pages written back"
    broken = size > WAL_BYTES or pages["written"] < pages["pages"]
    return Line("the log of SQLite is checkpointed", figure, ["not checkpointed"] if broken else [])
