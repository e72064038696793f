"""Fill the database of DATABASE_URL with a large site: `python -m benchmarks.console`, some thirty seconds.

`--size 0.01` makes a small one, `--awake` gives the living workers of a filled database a sign of life of now.
It prints the accounts of each role, with their password.
"""

from __future__ import annotations

import argparse
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "progress_site.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from benchmarks.console.accounts import PASSWORD, make_accounts  # noqa: E402
from benchmarks.console.many import make_many  # noqa: E402
from benchmarks.console.stories import make_stories  # noqa: E402
from benchmarks.console.workers import awake, make_workers  # noqa: E402
from jobs.models import Job  # noqa: E402

JOBS = 18_930


def main() -> None:
    """Fill an empty database, or wake the workers of a filled one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=1.0, help="share of the jobs (default: 1)")
    parser.add_argument("--awake", action="store_true", help="give the living workers a sign of life of now")
    arguments = parser.parse_args()
    if not arguments.awake:
        _fill(arguments.size)
    awake()


def _fill(size: float) -> None:
    call_command("migrate", verbosity=0)
    if Job.objects.exists():
        sys.exit("The database has jobs already. Give the address of an empty one in DATABASE_URL.")
    accounts = make_accounts()
    make_many(round(JOBS * size))
    make_stories(accounts, size=size)
    make_workers()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    sys.stdout.write(f"Sign in as {', '.join(sorted(accounts))} with the password {PASSWORD}\n")


if __name__ == "__main__":
    main()
