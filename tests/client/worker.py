"""A worker as users write them: it claims the items of a job and prints the key of each one that it has done."""

from __future__ import annotations

import argparse
import sys
import time

from progress_client import Client, backoff


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job")
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=0.0, help="how long an item takes")
    parser.add_argument("--lease", type=int, default=30)
    parser.add_argument("--worker")
    options = parser.parse_args()
    backoff.LONGEST = 0.5
    with Client(worker=options.worker) as client:
        job = client.job(options.job)
        for item in job.claim(batch=options.batch, lease_seconds=options.lease):
            with item:
                time.sleep(options.seconds)
                item.result = {"by": client.worker}
                sys.stdout.write(f"{item.key}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
