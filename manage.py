#!/usr/bin/env python
"""Run a management command of Progress Site."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from django.core.management import execute_from_command_line
from django.db import InterfaceError, OperationalError

USAGE = 2


def main(arguments: Sequence[str]) -> None:
    """Run the command. A text that is not UTF-8 cannot be kept or looked for; the name of a file may be any bytes."""
    for argument in arguments:
        if not argument.isascii() and not _is_utf8(argument) and not os.path.lexists(argument):
            sys.stderr.write(f"manage.py: The argument {argument!a} is not UTF-8; type it again.\n")
            sys.exit(USAGE)
    try:
        execute_from_command_line(list(arguments))
    except Exception as error:
        sentence = _about_database(error)
        if not sentence or "--traceback" in arguments:
            raise
        sys.stderr.write(f"manage.py: {sentence}\n")
        sys.exit(1)


def _about_database(error: Exception) -> str:
    """Return one sentence if the database cannot be reached; empty for every other error."""
    if not isinstance(error, OperationalError | InterfaceError):
        return ""
    from jobs.db.reachability import why_unreachable

    return why_unreachable()


def _is_utf8(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "progress_site.settings")
    main(sys.argv)
