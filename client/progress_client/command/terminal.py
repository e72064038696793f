"""Where answers go: a terminal, a file, or a program that reads JSON."""

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
from progress_client.command.tables import Look

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
UP, REST_OF_LINE, REST_OF_SCREEN = "\x1b[{}F", "\x1b[K", "\x1b[J"


class Terminal:
    """stdout, as wide as it is; with colours where it is a terminal and nobody is against them."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        is_terminal = sys.stdout.isatty()
        is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        width = shutil.get_terminal_size().columns if is_terminal else None
        self.look = Look(width=width, colour=is_terminal and not is_plain, icons=is_terminal)
        self.is_live = is_terminal and os.environ.get("TERM") != "dumb" and not as_json
        self._height = 0
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure:
            reconfigure(**{"encoding": "utf-8"} if as_json else {"errors": "replace"})

    def say(self, lines: Sequence[str]) -> None:
        """Print lines."""
        self._write("".join(f"{line}\n" for line in lines))

    def dump(self, body: Any) -> None:
        """Print JSON on one line."""
        self.say([json.dumps(body, ensure_ascii=False, separators=(",", ":"))])

    def move(self, body: Mapping[str, Any]) -> None:
        """Show the state of a job that is watched: drawn over the last one, or as a line of a log."""
        if self.as_json:
            self.dump(body)
        elif self.is_live:
            self._redraw(body)
        else:
            self.say([renderers.moment(body, now=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))])

    def rest(self) -> None:
        """Nothing moves any more: the cursor comes back."""
        if self.is_live and self._height:
            self._write(SHOW_CURSOR)

    def _redraw(self, body: Mapping[str, Any]) -> None:
        size = shutil.get_terminal_size()
        lines = renderers.moving(body, replace(self.look, width=size.columns))[: max(1, size.lines - 1)]
        up = UP.format(self._height) if self._height else HIDE_CURSOR
        self._write(up + "".join(f"{line}{REST_OF_LINE}\n" for line in lines) + REST_OF_SCREEN)
        self._height = len(lines)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
