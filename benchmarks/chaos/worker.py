"""A worker of a run: the client package in a process that may be killed. One order as JSON is its argument.

The order has `url`, `token`, `name`, `journal` (a folder), `notes` (a file), `seed` and `failing` (a share of items).
Each outcome that the client has taken is noted: job, key, attempt, status and checksum. With
`flush` the process only sends what earlier processes left in the journal; it exits 1 if something is left, and prints
the outcomes that the site has refused.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client"))

from progress_client import Client, Fail, Item  # noqa: E402

PHASE = "items"
LEASE_SECONDS = 5
BATCH = 20
FLUSH_SECONDS = 60


def work(client: Client, order: dict[str, Any]) -> None:
    """Do items of any job until the process ends."""
    chance = Random(order["seed"])
    notes = os.open(order["notes"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for item in client.claim(phase=PHASE, batch=BATCH, lease_seconds=LEASE_SECONDS):
        checksum = f"{item.key}/{item.attempt}"
        do(item, checksum, fails=chance.random() < order["failing"])
        note = {"job": item.job, "key": item.key, "attempt": item.attempt, "status": item.outcome}
        os.write(notes, f"{json.dumps({**note, 'checksum': checksum})}\n".encode())


def do(item: Item, checksum: str, *, fails: bool) -> None:
    """Complete the item, or fail it."""
    with item:
        if fails:
            raise Fail(f"Timeout after {item.attempt} s")
        item.result = {"checksum": checksum}


def main(order: dict[str, Any]) -> int:
    """Run the order."""
    with Client(order["url"], token=order["token"], worker=order["name"], journal=order["journal"]) as client:
        if order.get("flush"):
            sent = client.replay(timeout=FLUSH_SECONDS)
            json.dump([[row["job"], row["key"], row["detail"]] for row in client.refused], sys.stdout)
            return 0 if sent else 1
        signal.signal(signal.SIGTERM, lambda *_: client.stop())
        client.replay(timeout=1)
        work(client, order)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
