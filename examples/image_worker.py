"""A worker of Progress Site: it hashes the pictures of a folder and reports each one.

    image_worker.py FOLDER --job NAME --url http://127.0.0.1:8000 --token SECRET --worker w1

Start as many as you like over the same folder and the same job: each one takes other pictures. Kill one, and its
pictures come back when their lease ends. Only Pillow and the standard library are needed; Python 3.9 is enough.

A worker's day, in the order of the calls:

    POST /jobs                            the job with its items, by name: whoever is second finds it
    POST /jobs/7/phases/images/claim      some items, mine until their lease ends
    POST /jobs/7/heartbeat                from a thread: still here, keep these items for me
    POST /jobs/7/phases/images/report     what became of an item; "pending" gives it back
    GET  /jobs/7                          nothing to claim: is the job over, or do others still work?
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
from typing import Any
from urllib.parse import urlsplit

import images
from connection import Connection, GaveUp, Refused, worker_name

log = logging.getLogger("worker")

PHASE = {"code": "images", "asset_type": "image", "label": "Images", "stage": "Hashing image {done}/{expected}"}
LISTED_AT_ONCE = 500
IDLE_SECONDS = 2.0
FINISHED = ("completed", "failed", "cancelled")
COLUMNS = ("key", "hash", "width", "height", "bytes", "checksum")

Item = dict[str, Any]


class Worker:
    """One process that works on one job."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder: Path = options.folder
        self.stop = Event()
        self.gone = Event()
        self.server = Connection(options.url, token=options.token, stop=self.stop)
        self.job = ""
        self.phase = ""
        self.seen = -1
        self.held: dict[int, Item] = {}
        self.lock = Lock()

    def run(self) -> None:
        """Work until the job is over or somebody stops this worker."""
        self.open_job()
        heart = Thread(target=self.beat, daemon=True)
        heart.start()
        try:
            self.work()
        finally:
            self.give_back()
            self.gone.set()
            heart.join(timeout=5)

    def open_job(self) -> None:
        """Create the job with one item a file, or find it. The total is told first, so it cannot finish half listed."""
        items = [{"key": name} for name in images.find(self.folder)]
        if not items:
            raise SystemExit(f"There are no pictures in {self.folder}.")
        phase = {**PHASE, "expected": len(items)}
        body = {"name": self.options.job, "phases": [phase], "items": items[:LISTED_AT_ONCE], "reopen": True}
        job = self.server.post("/jobs", body)
        self.job = f"/jobs/{job['id']}"
        self.phase = f"{self.job}/phases/{PHASE['code']}"
        for start in range(LISTED_AT_ONCE, len(items), LISTED_AT_ONCE):
            batch = items[start : start + LISTED_AT_ONCE]
            self.server.post(f"{self.phase}/items", {"items": batch, "reopen": True})
        log.info("job %s (id %s): %d pictures in %s", job["name"], job["id"], len(items), self.folder)

    def work(self) -> None:
        """Claim, process, report, until there is nothing more to come."""
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
        """Take some items. If the answer is lost, those items come back when their lease ends."""
        wanted = {"worker": self.options.worker, "limit": self.options.batch, "lease_seconds": self.options.lease}
        items: list[Item] = self.server.post(f"{self.phase}/claim", wanted)["items"]
        with self.lock:
            self.held.update({item["id"]: item for item in items})
        return items

    def holds(self, item: Item) -> bool:
        """False once a heartbeat was told that the item is no longer ours."""
        with self.lock:
            return item["id"] in self.held

    def process(self, item: Item) -> None:
        """Do the work of one item and report what became of it."""
        key = item["key"]
        try:
            path = images.inside(self.folder, key)
            thumbnail = self.options.thumbs / f"{key}.jpg" if self.options.thumbs else None
            facts = images.examine(path, thumbnail=thumbnail)
        except images.Unreadable as error:
            log.warning("failed %s: %s", key, error)
            self.report(item, status="failed", error=str(error))
        else:
            log.info("hashed %s %s", key, facts["hash"])
            self.report(item, status="completed", result=facts)

    def report(self, item: Item, **result: Any) -> None:
        """Tell what became of an item. The attempt of the claim is the fence: who lost the item changes nothing."""
        result.update(key=item["key"], attempt=item["attempt"])
        answer = self.server.post(f"{self.phase}/report", {"worker": self.options.worker, "results": [result]})
        with self.lock:
            self.held.pop(item["id"], None)
        outcome = answer["results"][0]
        if outcome["outcome"] not in ("applied", "duplicate"):
            log.warning("not counted %s: %s, %s", item["key"], outcome["outcome"], outcome.get("detail", ""))

    def give_back(self) -> None:
        """Return what was claimed and not begun, so that nobody has to wait for the leases."""
        with self.lock:
            items, self.held = list(self.held.values()), {}
        if not items:
            return
        results = [{"key": item["key"], "attempt": item["attempt"], "status": "pending"} for item in items]
        self.server.post(f"{self.phase}/report", {"worker": self.options.worker, "results": results})
        log.info("gave %d pictures back", len(items))

    def beat(self) -> None:
        """Keep the leases, three times within each; runs in a thread of its own, on its own connection."""
        server = Connection(self.options.url, token=self.options.token, stop=self.gone, last_tries=0)
        while not self.gone.wait(self.options.lease / 3):
            with self.lock:
                mine = list(self.held)
            try:
                answer = server.post(f"{self.job}/heartbeat", {"worker": self.options.worker, "items": mine})
            except (GaveUp, Refused) as error:
                log.warning("no heartbeat: %s", error)
                continue
            self.forget(mine if answer["cancel_requested"] else answer["lost"])

    def forget(self, ids: list[int]) -> None:
        """Somebody else has these items, or nobody needs them any more."""
        with self.lock:
            lost = [self.held.pop(number)["key"] for number in ids if number in self.held]
        for key in lost:
            log.warning("lost %s", key)

    def is_over(self) -> bool:
        """Is the job finished? Then write its hashes. With --stay go on: an operator may retry what failed."""
        job = self.server.get(self.job)
        if job["revision"] == self.seen:
            return False
        self.seen = job["revision"]
        log.info("nothing to do, job %s at %s %%: %s", job["status"], job["percent"], job["stage"])
        if job["status"] not in FINISHED:
            return False
        self.write_hashes()
        return not self.options.stay

    def write_hashes(self) -> None:
        """Write the hashes of the whole job, whichever worker found them, as a CSV file."""
        out: Path = self.options.out
        unfinished = out.with_name(f".{out.name}.{os.getpid()}")
        rows = sorted(self.results(), key=lambda row: str(row["key"]))
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        unfinished.replace(out)
        alike = len(rows) - len({row["hash"] for row in rows})
        log.info("%d hashes in %s; %d pictures have the hash of another one", len(rows), out, alike)

    def results(self) -> Iterator[dict[str, Any]]:
        """The result of every completed item, page by page."""
        query = "status=completed&limit=200"
        while query:
            page = self.server.get(f"{self.phase}/items?{query}")
            for item in page["results"]:
                yield {"key": item["key"], **item["result"]}
            query = urlsplit(page["next"] or "").query


def options() -> argparse.Namespace:
    """What the command line and the environment say."""
    parser = argparse.ArgumentParser(description="Hash the pictures of a folder and report each one to Progress Site.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--job", required=True, help="the job's name; workers with the same name share the work")
    parser.add_argument("--url", default=os.environ.get("PROGRESS_URL", "http://127.0.0.1:8000"), help="PROGRESS_URL")
    parser.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""), help="PROGRESS_TOKEN")
    parser.add_argument("--worker", default=worker_name(), help="a name that no other worker has")
    parser.add_argument("--batch", type=int, default=8, help="pictures to claim at once (default: 8)")
    parser.add_argument("--lease", type=int, default=30, help="seconds until they come back if it dies (default: 30)")
    parser.add_argument("--out", type=Path, default=Path("hashes.csv"), help="the file of hashes (default: hashes.csv)")
    parser.add_argument("--thumbs", type=Path, help="a folder for thumbnails")
    parser.add_argument("--stay", action="store_true", help="wait for retried pictures after the job is finished")
    given = parser.parse_args()
    if not given.token:
        parser.error("a token is needed: --token or PROGRESS_TOKEN")
    return given


def main() -> None:
    """The command. SIGTERM and Ctrl-C end it after the picture in hand; a second one ends it at once."""
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
