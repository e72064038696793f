"""Terminal output of jobs, for `progress` and `manage.py jobs`. Pure: the input is REST bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from progress_client.command import formatting
from progress_client.command.tables import PLAIN, Cell, Column, TerminalStyle, bar, clean, cut, table, width

Body = Mapping[str, Any]

STATUS_STYLES = {
    "pending": ("◷", "dim"),
    "processing": ("▶", "blue"),
    "paused": ("‖", "dim"),
    "completed": ("✓", "green"),
    "partial": ("◐", "green"),
    "failed": ("✕", "red"),
    "cancelled": ("⊘", "dim"),
    "stuck": ("⚠", "yellow"),
    "late": ("⧗", "yellow"),
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
    Column("LEASED", right=True, drop=4),
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


def status_cell(body: Body, style: TerminalStyle) -> Cell:
    """Render the status of a job or a phase, with its icon if the style has icons."""
    word = str(body["status"])
    if body.get("stuck"):
        word = "stuck"
    elif body.get("late"):
        word = "late"
    elif body["partial"] and word == "completed":
        word = "partial"
    icon, colour = STATUS_STYLES[word]
    return Cell(f"{icon} {word}" if style.icons else word, colour)


def job_list(bodies: Sequence[Body], style: TerminalStyle = PLAIN) -> list[str]:
    """Render a table of jobs."""
    return table(JOBS, [_job_row(body, style) for body in bodies], style)


def job(body: Body, errors: Sequence[Body], style: TerminalStyle = PLAIN) -> list[str]:
    """Render one job: its line, a row for each phase, and its failures grouped by error."""
    lines = [*job_list([body], style), ""]
    if body["error"]:
        lines += [style.paint(_fitted(body["error"], style), "red"), ""]
    lines += table(PHASES, [_phase_row(phase, style) for phase in body["phases"]], style)
    if errors:
        lines += ["", *table(ERRORS, [_error_row(group) for group in errors], style)]
    return lines


def act(answer: Body, style: TerminalStyle = PLAIN) -> list[str]:
    """Render the result of an act and the job after it."""
    detail = clean(answer["detail"])
    said = style.paint(detail, "green") if answer["changed"] else style.paint(f"Nothing changed. {detail}", "yellow")
    return [said, *(job_list([answer["job"]], style) if "job" in answer else [])]


def refusal(row: Body) -> str:
    """Render the reason why an act rejected one item."""
    detail = clean(row["detail"])
    return f"Item {row['id']} {detail}" if detail.startswith("is ") else f"Item {row['id']}: {detail}"


def live_lines(body: Body, style: TerminalStyle = PLAIN) -> list[str]:
    """Render a live job: its line, a bar for each phase, its stage and its latest error."""
    status = status_cell(body, style)
    head = f"{body['name']}  {_percent(body)}{_left(body)}"
    room = None if style.width is None else style.width - width(status.text) - 2
    lines = [f"{style.paint(status.text, status.style)}  {style.paint(_within(head, room), 'bold')}"]
    longest = min(24, max(width(clean(phase["label"])) for phase in body["phases"]))
    lines += [_phase_line(phase, style, longest=longest) for phase in body["phases"]]
    lines.append(style.paint(_fitted(body["stage"], style), "dim"))
    return [*lines, style.paint(_fitted(body["error"], style), "red")] if body["error"] else lines


def log_line(body: Body, *, now: str) -> str:
    """Render one job as a log line."""
    parts = [
        now,
        status_cell(body, PLAIN).text,
        f"{_percent(body)}{_left(body)}",
        f"{_counts(body)}{_pace(body)}",
    ]
    return "  ".join([*parts, clean(body["stage"])])


# --- rows and cells ----------------------------------------------------------------------------


def _job_row(body: Body, style: TerminalStyle) -> list[Cell | str]:
    phases = body["phases"]
    failed = sum(phase["failed"] for phase in phases)
    return [
        str(body["id"]),
        status_cell(body, style),
        str(body["percent"]) if _known(phases) else "?",
        Cell(body["name"], "bold"),
        body["kind"],
        _of(phases),
        Cell(formatting.format_number(failed), "red" if failed else ""),
        _rate(body),
        _eta(body),
        body["stage"],
    ]


def _phase_row(phase: Body, style: TerminalStyle) -> list[Cell | str]:
    percent, settled = phase["percent"], phase["settled_percent"]
    return [
        Cell(phase["code"], "bold"),
        status_cell(phase, style),
        "?" if percent is None else str(percent),
        Cell(bar(percent, settled, length=SHORT_BAR, mark=phase["threshold"]), status_cell(phase, style).style),
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
        formatting.format_timestamp(at) if at else formatting.DASH for at in (group["first_at"], group["last_at"])
    )
    return [
        formatting.format_number(group["count"]),
        Cell(group["sample"], "red"),
        first,
        last,
        ", ".join(group["workers"]),
    ]


def _phase_line(phase: Body, style: TerminalStyle, *, longest: int) -> str:
    label = cut(clean(phase["label"]), longest)
    percent, settled = phase["percent"], phase["settled_percent"]
    after = f" {_percent(phase):>5}  {_counts(phase)}{_pace(phase)}"
    room = None if style.width is None else max(0, style.width - longest - BAR - 6)
    drawn = style.paint(bar(percent, settled, length=BAR, mark=phase["threshold"]), status_cell(phase, style).style)
    return f"  {label}{' ' * (longest - width(label))}  {drawn}{_within(after, room)}"


def _counts(body: Body) -> str:
    phases = body.get("phases", [body])
    failed, leased = (sum(phase[name] for phase in phases) for name in ("failed", "processing"))
    text = f"{_of(phases)} done"
    text += f", {formatting.format_number(failed)} failed" if failed else ""
    return text + (f", {formatting.format_number(leased)} leased" if leased else "")


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


def _fitted(text: str, style: TerminalStyle) -> str:
    return _within(clean(text), style.width)


def _within(text: str, room: int | None) -> str:
    return clean(text) if room is None else cut(clean(text), room)
