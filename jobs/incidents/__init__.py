"""Incidents: causes that need a person, opened and closed with the changes that make and end them."""

from jobs.incidents.causes import Cause, Finding, JobState, Move, move_between
from jobs.incidents.lifecycle import (
    EXPIRED,
    RECOVERED,
    end,
    end_if_empty,
    join,
    let_leave,
    note,
    open_incidents,
    wake,
    write_moves,
)

__all__ = [
    "EXPIRED",
    "RECOVERED",
    "Cause",
    "Finding",
    "JobState",
    "Move",
    "end",
    "end_if_empty",
    "join",
    "let_leave",
    "move_between",
    "note",
    "open_incidents",
    "wake",
    "write_moves",
]
