"""The browser of the tests."""

from __future__ import annotations

import shutil

# Debian's package of the headless shell needs a fifth of the processor time of the whole browser for a page.
PROGRAMS = ("chromium-headless-shell", "chromium")


def find_chromium() -> str | None:
    """Return the path of Chromium, the leanest that is installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)
