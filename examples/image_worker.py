"""Worker for Progress Site that hashes the pictures of a folder and reports each one.

    image_worker.py FOLDER --job NAME --url http://127.0.0.1:8000 --token SECRET --worker w1

Start any number of workers with the same folder and job: each one claims different pictures. If you kill one, its
pictures become pending again when their leases end. It needs Python 3.9 or newer and Pillow.

The calls of a worker, in order:

    POST /jobs                            create the job with its items, or find it by its name
    POST /jobs/7/phases/images/claim      claim some items under a lease
    POST /jobs/7/heartbeat                renew the leases, from a thread
    POST /jobs/7/phases/images/report     report the outcome of an item; "pending" gives it back
    GET  /jobs/7                          nothing to claim: has the job ended, or are other workers still busy?
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Lock, Thread
from traceback import format_exc
from typing import Any
from urllib.parse import urlsplit

import images
from connection import Connection, GaveUp, Refused, worker_name

log = logging.getLogger("worker")

PHASE = {"code": "images", "asset_type": "image", "label": "Images", "stage": "Hashing image {done}/{expected}"}
LISTED_AT_ONCE = 500
IDLE_SECONDS = 2.0
# A picture that is being copied, or lies on a busy disk, can be read a little later.
RETRIES = {"retries": 2, "retry_delay": 1}
FINISHED = ("completed", "failed", "cancelled")
COLUMNS = ("key", "hash", "width", "height", "bytes", "checksum")

Item = dict[str, Any]


class Worker:
    """Worker process of one job."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder: Path = options.folder
        self.stop = Event()
        self.ended = Event()
        self.server = Connection(options.url, token=options.token, stop=self.stop)
        self.job = ""
        self.phase = ""
        self.last_revision = -1
        self.leased: dict[int, Item] = {}
        self.lock = Lock()

    def run(self) -> None:
        """Work until the job has ended or the worker is stopped."""
        self.open_job()
        heart = Thread(target=self.send_heartbeats, daemon=True)
        heart.start()
        try:
            self.work()
        finally:
            self.give_back()
            self.ended.set()
            heart.join(timeout=5)

    def open_job(self) -> None:
        """Create the job with one item for each file, or find it.

        The first request sets the expected total, so that the job cannot complete before all items are listed.
        """
        items = [{"key": name} for name in images.find(self.folder)]
        if not items:
            raise SystemExit(f"There are no pictures in {self.folder}.")
        phase = {**PHASE, "expected": len(items), **RETRIES}
        body = {"name": self.options.job, "phases": [phase], "items": items[:LISTED_AT_ONCE], "reopen": True}
        job = self.server.post("/jobs", body)
        self.job = f"/jobs/{job['id']}"
        self.phase = f"{self.job}/phases/{PHASE['code']}"
        for start in range(LISTED_AT_ONCE, len(items), LISTED_AT_ONCE):
            batch = items[start : start + LISTED_AT_ONCE]
            self.server.post(f"{self.phase}/items", {"items": batch, "reopen": True})
        log.info("job %s (id %s): %d pictures in %s", job["name"], job["id"], len(items), self.folder)

    def work(self) -> None:
        """Claim, process and report items until the job has ended."""
        while not self.stop.is_set():
            items = self.claim()
            for item in items:
                if self.stop.is_set():
                    return
                if self.holds(item):
                    self.process(item)
            if not items:
                if self.is_over():
                    return
                self.stop.wait(IDLE_SECONDS)

    def claim(self) -> list[Item]:
        """Claim some items. If the response is lost, they become pending again when their leases end."""
        wanted = {"worker": self.options.worker, "limit": self.options.batch, "lease_seconds": self.options.lease}
        items: list[Item] = self.server.post(f"{self.phase}/claim", wanted)["items"]
        with self.lock:
            self.leased.update({item["id"]: item for item in items})
        return items

    def holds(self, item: Item) -> bool:
        """Return False if a heartbeat has found that the lease was lost."""
        with self.lock:
            return item["id"] in self.leased

    def process(self, item: Item) -> None:
        """Process one item and report its outcome."""
        key = item["key"]
        try:
            path = images.inside(self.folder, key)
            thumbnail = self.options.thumbs / f"{key}.jpg" if self.options.thumbs else None
            facts = images.examine(path, thumbnail=thumbnail)
        except images.Unreadable as error:
            log.warning("failed %s: %s", key, error)
            self.report(item, status="failed", error=str(error), log=format_exc())
        else:
            log.info("hashed %s %s", key, facts["hash"])
            self.report(item, status="completed", result=facts)

    def report(self, item: Item, **result: Any) -> None:
        """Report an outcome. The site ignores it if the attempt is outdated, because another worker has the item."""
        result.update(key=item["key"], attempt=item["attempt"])
        answer = self.server.post(f"{self.phase}/report", {"worker": self.options.worker, "results": [result]})
        with self.lock:
            self.leased.pop(item["id"], None)
        outcome = answer["results"][0]
        if outcome["outcome"] not in ("applied", "duplicate"):
            log.warning("not counted %s: %s, %s", item["key"], outcome["outcome"], outcome.get("detail", ""))

    def give_back(self) -> None:
        """Give back claimed items that were not started, so that other workers need not wait for the leases to end."""
        with self.lock:
            items, self.leased = list(self.leased.values()), {}
        if not items:
            return
        results = [{"key": item["key"], "attempt": item["attempt"], "status": "pending"} for item in items]
        self.server.post(f"{self.phase}/report", {"worker": self.options.worker, "results": results})
        log.info("gave back %d pictures", len(items))

    def send_heartbeats(self) -> None:
        """Renew the leases three times within their length, in a thread with its own connection."""
        server = Connection(self.options.url, token=self.options.token, stop=self.ended, last_tries=0)
        while not self.ended.wait(self.options.lease / 3):
            with self.lock:
                mine = list(self.leased)
            try:
                answer = server.post(f"{self.job}/heartbeat", {"worker": self.options.worker, "items": mine})
            except (GaveUp, Refused) as error:
                log.warning("no heartbeat: %s", error)
                continue
            self.forget(mine if answer["cancel_requested"] else answer["lost"])

    def forget(self, ids: list[int]) -> None:
        """Drop items whose leases were lost or whose job was cancelled."""
        with self.lock:
            lost = [self.leased.pop(number)["key"] for number in ids if number in self.leased]
        for key in lost:
            log.warning("lost the lease of %s", key)

    def is_over(self) -> bool:
        """Check whether the job has ended, and write its hashes. With --stay, wait for retried items."""
        job = self.server.get(self.job)
        if job["revision"] == self.last_revision:
            return False
        self.last_revision = job["revision"]
        log.info("nothing to do, job %s at %s %%: %s", job["status"], job["percent"], job["stage"])
        if job["status"] not in FINISHED:
            return False
        self.write_hashes()
        return not self.options.stay

    def write_hashes(self) -> None:
        """Write the hashes of the whole job, from all workers, as a CSV file."""
        out: Path = self.options.out
        unfinished = out.with_name(f".{out.name}.{os.getpid()}")
        rows = sorted(self.results(), key=lambda row: str(row["key"]))
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        unfinished.replace(out)
        duplicates = len(rows) - len({row["hash"] for row in rows})
        log.info("%d hashes in %s; %d pictures have the hash of another one", len(rows), out, duplicates)

    def results(self) -> Iterator[dict[str, Any]]:
        """Yield the result of every completed item, one request per page."""
        query = "status=completed&limit=200"
        while query:
            page = self.server.get(f"{self.phase}/items?{query}")
            for item in page["results"]:
                yield {"key": item["key"], **item["result"]}
            query = urlsplit(page["next"] or "").query


def options() -> argparse.Namespace:
    """Parse the options; the environment has the defaults."""
    parser = argparse.ArgumentParser(description="Hash the pictures of a folder and report each one to Progress Site.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--job", required=True, help="job name; workers with the same job share the work")
    parser.add_argument("--url", default=os.environ.get("PROGRESS_URL", "http://127.0.0.1:8000"), help="PROGRESS_URL")
    parser.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""), help="PROGRESS_TOKEN")
    parser.add_argument("--worker", default=worker_name(), help="a unique worker name")
    parser.add_argument("--batch", type=int, default=8, help="pictures to claim at once (default: 8)")
    parser.add_argument("--lease", type=int, default=30, help="lease in seconds (default: 30)")
    parser.add_argument("--out", type=Path, default=Path("hashes.csv"), help="the file of hashes (default: hashes.csv)")
    parser.add_argument("--thumbs", type=Path, help="a folder for thumbnails")
    parser.add_argument("--stay", action="store_true", help="wait for retried pictures after the job is finished")
    given = parser.parse_args()
    if not given.token:
        parser.error("a token is required: set --token or PROGRESS_TOKEN")
    return given


def main() -> None:
    """Run the command. SIGTERM and Ctrl-C end it after the current picture; a second one ends it at once."""
    worker = Worker(options())

    def end(number: int, frame: object) -> None:
        worker.stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    name = worker.options.worker
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=f"%(asctime)s {name} %(message)s", datefmt="%X")
    try:
        worker.run()
    except (Refused, GaveUp) as error:
        raise SystemExit(f"{name}: {error}") from error


if __name__ == "__main__":
    main()
