"""Progress bar of a phase: in a notebook, or on the terminal by tqdm if it is installed, else as a plain line."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from html import escape
from typing import Any, Callable, TextIO

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None

EVERY_SECONDS = 0.1
LINE_WIDTH = 79
FULL, EMPTY = "━", "─"
Phase = dict[str, Any]


class Bar:
    """Progress of a whole phase, including the work of other workers."""

    def show(self, phase: Phase) -> None:
        """Draw this state of the phase."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class TqdmBar(Bar):
    """A tqdm bar with the counts of the phase."""

    def __init__(self, name: str) -> None:
        self._bar = tqdm(desc=name, unit="", dynamic_ncols=True)

    def show(self, phase: Phase) -> None:
        """Update the counts."""
        self._bar.total = phase["expected"]
        self._bar.n = settled(phase)
        if phase["failed"]:
            self._bar.set_postfix(failed=phase["failed"], refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the last state on the terminal."""
        self._bar.close()


class LineBar(Bar):
    """A single line, redrawn at most ten times a second."""

    def __init__(self, name: str, out: TextIO) -> None:
        self._name, self._out = name, out
        self._lock = threading.Lock()
        self._drawn_at = 0.0
        self._phase: Phase | None = None
        self._closed = False

    def show(self, phase: Phase) -> None:
        """Redraw the line."""
        with self._lock:
            self._phase = phase
            if not self._closed and time.monotonic() - self._drawn_at >= EVERY_SECONDS:
                self._draw(phase)

    def close(self) -> None:
        """Draw the last state and end the line."""
        with self._lock:
            if self._phase and not self._closed:
                self._draw(self._phase)
                self._out.write("\n")
                self._out.flush()
            self._closed = True

    def _draw(self, phase: Phase) -> None:
        self._drawn_at = time.monotonic()
        self._out.write(f"\r{line(self._name, phase, width=shutil.get_terminal_size().columns - 1)}\x1b[K")
        self._out.flush()


class NotebookBar(LineBar):
    """A bar below the cell of a notebook, as HTML and as text for frontends without it."""

    def __init__(self, name: str, display: Callable[..., Any]) -> None:
        super().__init__(name, sys.stderr)
        self._handle = display(self, display_id=True)

    def close(self) -> None:
        """Show the last state."""
        with self._lock:
            if self._phase and not self._closed:
                self._draw(self._phase)
            self._closed = True

    def _draw(self, phase: Phase) -> None:
        self._drawn_at = time.monotonic()
        self._handle.update(self)

    def __repr__(self) -> str:
        return line(self._name, self._phase, width=LINE_WIDTH) if self._phase else self._name

    def _repr_html_(self) -> str:
        if self._phase is None:
            return f"<div>{escape(self._name)}</div>"
        total = self._phase["expected"]
        room = "" if total is None else f' value="{settled(self._phase)}" max="{max(total, 1)}"'
        facts = " · ".join([self._name, *_facts(self._phase)])
        return f"<div><progress{room}></progress> {escape(facts)}</div>"


def bar(name: str, *, wanted: bool | None) -> Bar | None:
    """Create a bar if one is wanted; by default only in a notebook, or if stderr is a terminal."""
    display = _notebook_display()
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if not (is_terminal or display is not None if wanted is None else wanted):
        return None
    if display is not None:
        return NotebookBar(name, display)
    return TqdmBar(name) if tqdm else LineBar(name, sys.stderr)


def _notebook_display() -> Callable[..., Any] | None:
    """Return the `display` of IPython if this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display: Callable[..., Any] = sys.modules["IPython.display"].display
    return display


def settled(phase: Phase) -> int:
    """Count the settled items."""
    return int(phase["done"] + phase["skipped"] + phase["failed"])


def line(name: str, phase: Phase, *, width: int) -> str:
    """Format one line of at most `width` columns: `batch_001  58% ━━━━━━──── 58/100 · 1 failed · 24/min · 1:45`."""
    percent = phase["percent"]
    head = f"{name} {'  ?' if percent is None else format(percent, '3d')}% "
    tail = " " + " · ".join(_facts(phase))
    room = min(40, width - len(head) - len(tail))
    return (head + track(percent or 0, width=room) + tail)[:width] if room >= 4 else (head + tail[1:])[:width]


def track(percent: int, *, width: int, full: str = FULL, empty: str = EMPTY) -> str:
    """Draw the bar itself."""
    filled = percent * width // 100
    return full * filled + empty * (width - filled)


def _facts(phase: Phase) -> list[str]:
    facts = [f"{phase['done'] + phase['skipped']}/{'?' if phase['expected'] is None else phase['expected']}"]
    if phase["failed"]:
        facts.append(f"{phase['failed']} failed")
    if phase["rate_per_minute"]:
        facts.append(f"{phase['rate_per_minute']:.0f}/min")
    if phase["eta_seconds"]:
        facts.append(clock(phase["eta_seconds"]))
    return facts


def clock(seconds: float) -> str:
    """Format seconds as `1:45` or `2:03:09`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
