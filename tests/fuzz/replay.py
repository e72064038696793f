"""`python -m tests.fuzz.replay`: send the calls on stdin to a new database, and print the statuses."""

from __future__ import annotations

import json
import sys

import django
from django.test.utils import setup_databases, setup_test_environment, teardown_databases


def main() -> None:
    """Replay the calls."""
    django.setup()
    from tests.fuzz.calls import load, send_all

    setup_test_environment()
    made = setup_databases(verbosity=0, interactive=False)
    try:
        statuses = [answer.status for answer in send_all(load(sys.stdin.read()))]
    finally:
        teardown_databases(made, verbosity=0)
    json.dump(statuses, sys.stdout)


if __name__ == "__main__":
    main()
