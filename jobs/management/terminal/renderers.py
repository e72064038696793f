"""What operators see of jobs on a terminal: a list, one job, one job while it moves. Pure: it is given bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jobs.management.terminal.tables import PLAIN, Cell, Column, TerminalStyle, bar, clean, cut, table, width
from jobs.rules import formatting

Body = Mapping[str, Any]

FACES = {
    "pending": ("◷", "dim"),
    "processing": ("▶", "blue"),
    "paused": ("‖", "dim"),
    "completed": ("✓", "green"),
    "partial": ("◐", "green"),
    "failed": ("✕", "red"),
    "cancelled": ("⊘", "dim"),
    "stuck": ("⚠", "yellow"),
}
JOBS = (
    Column("ID", right=True),
    Column("STATUS"),
    Column("%", right=True),
    Column("JOB", least=16),
    Column("KIND", drop=2),
    Column("DONE/EXPECTED", right=True),
    Column("FAILED", right=True),
    Column("RATE", right=True, drop=3),
    Column("ETA", right=True, drop=4),
    Column("STAGE", least=16, drop=1),
)
PHASES = (
    Column("PHASE", least=12),
    Column("STATUS"),
    Column("%", right=True),
    Column("PROGRESS", drop=3),
    Column("DONE/EXPECTED", right=True),
    Column("FAILED", right=True),
    Column("SKIPPED", right=True, drop=1),
    Column("HELD", right=True, drop=4),
    Column("NEEDS", right=True, drop=2),
    Column("RATE", right=True, drop=5),
    Column("ETA", right=True, drop=6),
)
ERRORS = (
    Column("COUNT", right=True),
    Column("ERROR", least=24),
    Column("FIRST", drop=3),
    Column("LAST", drop=2),
    Column("WORKERS", least=10, drop=1),
)
BAR, SHORT_BAR = 20, 10


def face(body: Body, look: TerminalStyle) -> Cell:
    """The status of a job or a phase, with its icon where icons are shown."""
    word = str(body["status"])
    if body.get("stuck"):
        word = "stuck"
    elif body["partial"] and word == "completed":
        word = "partial"
    icon, style = FACES[word]
    return Cell(f"{icon} {word}" if look.icons else word, style)


def job_list(bodies: Sequence[Body], look: TerminalStyle = PLAIN) -> list[str]:
    """Jobs as a table."""
    return table(JOBS, [_job_row(body, look) for body in bodies], look)


def job(body: Body, errors: Sequence[Body], look: TerminalStyle = PLAIN) -> list[str]:
    """One job: its line, a row for each phase, its failures grouped by their sentence."""
    lines = [*job_list([body], look), ""]
    if body["error"]:
        lines += [look.paint(_fitted(body["error"], look), "red"), ""]
    lines += table(PHASES, [_phase_row(phase, look) for phase in body["phases"]], look)
    if errors:
        lines += ["", *table(ERRORS, [_error_row(group) for group in errors], look)]
    return lines


def act(answer: Body, look: TerminalStyle = PLAIN) -> list[str]:
    """What an act did, and the job after it."""
    detail = clean(answer["detail"])
    said = look.paint(detail, "green") if answer["changed"] else look.paint(f"Nothing changed. {detail}", "yellow")
    return [said, *job_list([answer["job"]], look)]


def refusal(row: Body) -> str:
    """Why an act left one item alone."""
    detail = clean(row["detail"])
    return f"Item {row['id']} {detail}" if detail.startswith("is ") else f"Item {row['id']}: {detail}"


def moving(body: Body, look: TerminalStyle = PLAIN) -> list[str]:
    """One job while it moves: its line, a bar for each phase, what it says and its latest failure."""
    status = face(body, look)
    head = f"{body['name']}  {_percent(body)}{_left(body)}"
    room = None if look.width is None else look.width - width(status.text) - 2
    lines = [f"{look.paint(status.text, status.style)}  {look.paint(_within(head, room), 'bold')}"]
    longest = min(24, max(width(clean(phase["label"])) for phase in body["phases"]))
    lines += [_phase_line(phase, look, longest=longest) for phase in body["phases"]]
    lines.append(look.paint(_fitted(body["stage"], look), "dim"))
    return [*lines, look.paint(_fitted(body["error"], look), "red")] if body["error"] else lines


def moment(body: Body, *, now: datetime) -> str:
    """One job as one line of a log."""
    parts = [
        formatting.format_datetime(now),
        face(body, PLAIN).text,
        f"{_percent(body)}{_left(body)}",
        f"{_counts(body)}{_pace(body)}",
    ]
    return "  ".join([*parts, clean(body["stage"])])


# --- rows and their parts ------------------------------------------------------------------------


def _job_row(body: Body, look: TerminalStyle) -> list[Cell | str]:
    phases = body["phases"]
    failed = sum(phase["failed"] for phase in phases)
    return [
        str(body["id"]),
        face(body, look),
        str(body["percent"]) if _known(phases) else "?",
        Cell(body["name"], "bold"),
        body["kind"],
        _of(phases),
        Cell(formatting.format_number(failed), "red" if failed else ""),
        _rate(body),
        _eta(body),
        body["stage"],
    ]


def _phase_row(phase: Body, look: TerminalStyle) -> list[Cell | str]:
    percent, settled = phase["percent"], phase["settled_percent"]
    return [
        Cell(phase["code"], "bold"),
        face(phase, look),
        "?" if percent is None else str(percent),
        Cell(bar(percent, settled, length=SHORT_BAR, mark=phase["threshold"]), face(phase, look).style),
        _of([phase]),
        Cell(formatting.format_number(phase["failed"]), "red" if phase["failed"] else ""),
        formatting.format_number(phase["skipped"]),
        formatting.format_number(phase["processing"]),
        formatting.format_number(phase["needed"]),
        _rate(phase),
        _eta(phase),
    ]


def _error_row(group: Body) -> list[Cell | str]:
    first, last = (
        formatting.format_datetime(at) if at else formatting.DASH for at in (group["first_at"], group["last_at"])
    )
    return [
        formatting.format_number(group["count"]),
        Cell(group["sample"], "red"),
        first,
        last,
        ", ".join(group["workers"]),
    ]


def _phase_line(phase: Body, look: TerminalStyle, *, longest: int) -> str:
    label = cut(clean(phase["label"]), longest)
    percent, settled = phase["percent"], phase["settled_percent"]
    after = f" {_percent(phase):>5}  {_counts(phase)}{_pace(phase)}"
    room = None if look.width is None else max(0, look.width - longest - BAR - 6)
    drawn = look.paint(bar(percent, settled, length=BAR, mark=phase["threshold"]), face(phase, look).style)
    return f"  {label}{' ' * (longest - width(label))}  {drawn}{_within(after, room)}"


def _counts(body: Body) -> str:
    phases = body.get("phases", [body])
    failed, held = (sum(phase[name] for phase in phases) for name in ("failed", "processing"))
    text = f"{_of(phases)} done"
    text += f", {formatting.format_number(failed)} failed" if failed else ""
    return text + (f", {formatting.format_number(held)} held" if held else "")


def _pace(body: Body) -> str:
    return "" if _rate(body) == formatting.DASH else f", {_rate(body)}/min"


def _left(body: Body) -> str:
    return "" if _eta(body) == formatting.DASH else f", {_eta(body)} left"


def _of(phases: Sequence[Body]) -> str:
    expected = [phase["expected"] for phase in phases]
    total = formatting.format_number(sum(number or 0 for number in expected)) if _known(phases) else "?"
    return f"{formatting.format_number(sum(phase['done'] for phase in phases))}/{total}"


def _known(phases: Sequence[Body]) -> bool:
    return any(phase["expected"] is not None for phase in phases)


def _percent(body: Body) -> str:
    known = _known(body.get("phases", [body]))
    return f"{body['percent']} %" if known else "? %"


def _rate(body: Body) -> str:
    return formatting.format_number(body["rate_per_minute"]) if body["status"] == "processing" else formatting.DASH


def _eta(body: Body) -> str:
    known = body["eta_seconds"] is not None and body["status"] == "processing"
    return formatting.format_duration(body["eta_seconds"]) if known else formatting.DASH


def _fitted(text: str, look: TerminalStyle) -> str:
    return _within(clean(text), look.width)


def _within(text: str, room: int | None) -> str:
    return clean(text) if room is None else cut(clean(text), room)
