"""`python -m benchmarks.chaos [--minutes N] [--kills N] [--seed N] [--soak]`: load, kill, and check the invariants.

It runs on a temporary SQLite file. With POSTGRES_URL it runs on a database of its own on that server, and there with
the services of REDIS_URL and AMQP_URL. It exits 1 if an invariant is broken, and then keeps its folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.chaos.database import database
from benchmarks.chaos.report import Line, printed, say
from benchmarks.chaos.run import Run, chaos
from benchmarks.chaos.soak import soak


def main() -> int:
    """Run the command."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="progress-chaos-"))
    with database(folder, os.environ.get("POSTGRES_URL", "")) as where:
        say(f"seed {options.seed}, {'SQLite' if where.is_sqlite else 'PostgreSQL'}, in {folder}")
        run = Run(folder, where, seed=options.seed, large=options.large, faults=not options.soak)
        lines: list[Line] = []
        try:
            seconds = options.minutes * 60
            lines = soak(run, seconds=seconds) if options.soak else chaos(run, seconds=seconds, kills=options.kills)
        finally:
            run.close()
    broken = any(line.violations for line in lines)
    sys.stdout.write(printed(lines))
    if broken:
        say(f"the logs are in {folder}")
    else:
        shutil.rmtree(folder)
    return int(broken)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description="Kill at random, then check.")
    parser.add_argument("--minutes", type=float, default=5, help="duration of the load (default 5)")
    parser.add_argument("--kills", type=int, default=0, help="end after this number of killed processes")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed of every random choice")
    parser.add_argument("--large", type=int, default=30_000, help="items of the large job (default 30,000)")
    parser.add_argument("--soak", action="store_true", help="kill nothing; compare threads, descriptors and memory")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
