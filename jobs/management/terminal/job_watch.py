"""Live view of one job until it is over."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from django.utils import timezone
from progress_client.command import renderers
from progress_client.command.tables import TerminalStyle

from jobs.models import Job
from jobs.rules.errors import NotFound
from jobs.rules.formatting import format_datetime
from jobs.rules.statuses import FINISHED_JOB
from jobs.serializers import JobBody, encode, job_body

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
UP, REST_OF_LINE, REST_OF_SCREEN = "\x1b[{}F", "\x1b[K", "\x1b[J"


class Screen(Protocol):
    """Display of a job that changes."""

    def show(self, body: JobBody) -> None:
        """Show this state."""

    def close(self) -> None:
        """End the display."""


def watch(job: Job, screen: Screen, *, interval: float) -> JobBody:
    """Show the job every `interval` seconds until it is over; return its last state. NotFound if it is deleted."""
    try:
        while True:
            found = Job.objects.filter(pk=job.pk).first()
            if found is None:
                raise NotFound(f"Job {job.name} has been deleted.")
            body = job_body(found)
            screen.show(body)
            if body["status"] in FINISHED_JOB:
                return body
            time.sleep(interval)
    finally:
        screen.close()


class Live:
    """Display on a terminal: the same lines are redrawn."""

    def __init__(self, out: Any, style: TerminalStyle) -> None:
        self._out = out
        self._style = style
        self._height = 0

    def show(self, body: JobBody) -> None:
        """Redraw the lines within the present size of the terminal."""
        size = shutil.get_terminal_size()
        lines = renderers.live_lines(body, replace(self._style, width=size.columns))[: max(1, size.lines - 1)]
        up = UP.format(self._height) if self._height else HIDE_CURSOR
        drawn = "".join(f"{line}{REST_OF_LINE}\n" for line in lines)
        self._out.write(f"{up}{drawn}{REST_OF_SCREEN}", ending="")
        self._out.flush()
        self._height = len(lines)

    def close(self) -> None:
        """Show the cursor again."""
        self._out.write(SHOW_CURSOR, ending="")


class Lines:
    """Display in a file or a pipe: one line for each change."""

    def __init__(self, out: Any, line: Callable[[JobBody], str]) -> None:
        self._out = out
        self._line = line
        self._revision = -1

    def show(self, body: JobBody) -> None:
        """Write a line if the job has changed."""
        if body["revision"] != self._revision:
            self._revision = body["revision"]
            self._out.write(self._line(body))
            self._out.flush()

    def close(self) -> None:
        """Do nothing."""


def screen_for(out: Any, style: TerminalStyle, *, as_json: bool) -> Screen:
    """Return the display: JSON lines, a live screen on a terminal, else log lines."""
    if as_json:
        return Lines(out, lambda body: encode(body).decode())
    if style.icons:
        return Live(out, style)
    return Lines(out, lambda body: renderers.log_line(body, now=format_datetime(timezone.now())))
