"""Output of the command: a terminal, a file, or JSON for a program."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from progress_client.command import renderers
from progress_client.command.tables import TerminalStyle

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
UP, REST_OF_LINE, REST_OF_SCREEN = "\x1b[{}F", "\x1b[K", "\x1b[J"


class Terminal:
    """stdout with its width, and with colours if it is a terminal and NO_COLOR is not set."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        is_terminal = sys.stdout.isatty()
        is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        width = shutil.get_terminal_size().columns if is_terminal else None
        self.style = TerminalStyle(width=width, colour=is_terminal and not is_plain, icons=is_terminal)
        self.is_live = is_terminal and os.environ.get("TERM") != "dumb" and not as_json
        self._height = 0
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure:
            reconfigure(**{"encoding": "utf-8"} if as_json else {"errors": "replace"})

    def print_lines(self, lines: Sequence[str]) -> None:
        """Print lines."""
        self._write("".join(f"{line}\n" for line in lines))

    def print_json(self, body: Any) -> None:
        """Print JSON on one line."""
        self.print_lines([json.dumps(body, ensure_ascii=False, separators=(",", ":"))])

    def show_state(self, body: Mapping[str, Any]) -> None:
        """Show the state of a watched job: redraw it on a terminal, else print a log line."""
        if self.as_json:
            self.print_json(body)
        elif self.is_live:
            self._redraw(body)
        else:
            self.print_lines([renderers.log_line(body, now=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))])

    def restore_cursor(self) -> None:
        """Show the cursor again."""
        if self.is_live and self._height:
            self._write(SHOW_CURSOR)

    def _redraw(self, body: Mapping[str, Any]) -> None:
        size = shutil.get_terminal_size()
        lines = renderers.live_lines(body, replace(self.style, width=size.columns))[: max(1, size.lines - 1)]
        up = UP.format(self._height) if self._height else HIDE_CURSOR
        self._write(up + "".join(f"{line}{REST_OF_LINE}\n" for line in lines) + REST_OF_SCREEN)
        self._height = len(lines)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
