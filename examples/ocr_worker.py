"""Worker for Progress Site that reads the pages of PDFs and merges the text of each document.

    ocr_worker.py contract.pdf … --url http://127.0.0.1:8000 --token SECRET --worker w1

Start any number of workers with the same files and the same folder of texts: each one claims different chunks, the
oldest document first. If you kill one, its chunk becomes pending again when its lease ends. tesseract reads the pages
if it is installed, else the text layer of the PDF is used. It needs Python 3.9 or newer and pypdfium2.

The calls of a worker, in order:

    POST /documents                        create a document for each file, or find it by project and name
    POST /claim                            claim a merge or else a chunk of any document, under a lease
    GET  /documents/7                      the file of the document; for a merge, the chunks with their checksums
    POST /jobs/7/heartbeat                 renew the lease, from a thread
    POST /jobs/7/phases/ocr/report         report the outcome; "pending" gives the item back
    GET  /jobs/7                           nothing to claim: has the document ended, or are other workers still busy?
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import ocr_texts
from connection import Connection, GaveUp, Refused, worker_name
from ocr_claims import MERGE, Claims, Documents, Work
from ocr_pages import Reader, Unreadable, reader, texts

log = logging.getLogger("worker")

IDLE_SECONDS = 2.0
FINISHED = ("completed", "failed", "cancelled")


class Interrupted(Exception):
    """The current item is not finished: the worker was stopped or the lease was lost."""


class Worker:
    """Worker process of all documents of its files."""

    def __init__(self, options: argparse.Namespace, page_reader: Reader) -> None:
        self.options = options
        self.reader = page_reader
        self.stop = Event()
        self.ended = Event()
        self.server = Connection(options.url, token=options.token, stop=self.stop)
        self.documents = Documents(options.paths, project=options.project)
        self.claims = Claims(self.server, self.documents, options)
        self.texts = ocr_texts.Texts(options.out)
        self.last_revisions: dict[int, int] = {}
        self.leased: Work | None = None
        self.lock = Lock()

    def run(self) -> None:
        """Work until the documents have ended or the worker is stopped."""
        log.info("reading pages with %s", self.reader.name)
        self.documents.create(self.server, pages_per_chunk=self.options.pages_per_chunk)
        if not self.documents.own and not self.options.stay:
            raise SystemExit("There are no documents to read; check the files and the log.")
        heart = Thread(target=self.send_heartbeats, daemon=True)
        heart.start()
        try:
            self.work()
        finally:
            self.give_back()
            self.ended.set()
            heart.join(timeout=5)

    def work(self) -> None:
        """Claim, process and report items until the documents have ended."""
        while not self.stop.is_set():
            work = self.claims.next()
            if work:
                self.set_leased(work)
                self.process(work)
            elif self.is_over():
                return
            else:
                self.stop.wait(IDLE_SECONDS)

    def process(self, work: Work) -> None:
        """Process one item and report its outcome."""
        try:
            result = self.merge(work) if work.phase == MERGE else self.read(work)
        except Interrupted:
            log.info("left %s of %s", work.item["label"], work.file.name)
            self.give_back()
        except (Unreadable, ocr_texts.Altered) as error:
            log.warning("failed %s of %s: %s", work.item["label"], work.file.name, error)
            self.report(work, status="failed", error=str(error))
        else:
            log.info("done %s of %s: %s", work.item["label"], work.file.name, self.options.out / result["path"])
            self.report(work, status="completed", result=result)

    def read(self, work: Work) -> dict[str, Any]:
        """Read the pages of a chunk into one text file."""
        first, last = work.item["payload"]["page_start"], work.item["payload"]["page_end"]
        pages = []
        begun = time.monotonic()
        for number, text in texts(work.file, first=first, last=last, reader=self.reader):
            pages.append(ocr_texts.marked(number, text))
            self.stop.wait(max(0.0, begun + self.options.pace * len(pages) - time.monotonic()))
            self.check_interrupted(work)
        return {**self.keep(work, "".join(pages), name=f"pages-{first}-{last}"), "reader": self.reader.name}

    def merge(self, work: Work) -> dict[str, Any]:
        """Check the texts of all chunks and merge them into one file."""
        chunks = self.server.get(f"/documents/{work.document}")["chunks"]
        kept = self.keep(work, self.texts.merged(chunks), name="merged")
        return ocr_texts.merge_result(kept, chunks)

    def keep(self, work: Work, text: str, *, name: str) -> dict[str, str]:
        """Write a text under the attempt of its claim; return its checksum and path."""
        return self.texts.write(text, document=work.document, name=name, attempt=work.item["attempt"])

    def check_interrupted(self, work: Work) -> None:
        """Raise Interrupted if the worker was stopped or the lease was lost."""
        with self.lock:
            lost = self.leased is not work
        if lost or self.stop.is_set():
            raise Interrupted

    def set_leased(self, work: Work | None) -> None:
        """Set the item whose lease the heartbeat renews."""
        with self.lock:
            self.leased = work

    def report(self, work: Work, **result: Any) -> None:
        """Report an outcome. The site ignores it if the attempt is outdated, because another worker has the item."""
        result.update(key=work.item["key"], attempt=work.item["attempt"])
        body = {"worker": self.options.worker, "results": [result]}
        outcome = self.server.post(f"{work.phase_address}/report", body)["results"][0]
        self.set_leased(None)
        if outcome["outcome"] == "invalid" and result["status"] == "completed":
            self.report(work, status="failed", error=outcome["detail"])
        elif outcome["outcome"] not in ("applied", "duplicate"):
            log.warning("not counted %s: %s", work.item["label"], outcome.get("detail", outcome["outcome"]))

    def give_back(self) -> None:
        """Give back an unfinished item, so that other workers need not wait for its lease to end."""
        with self.lock:
            work, self.leased = self.leased, None
        if work:
            self.claims.give_back(work.document, phase=work.phase, item=work.item)
            log.info("gave back %s of %s", work.item["label"], work.file.name)

    def send_heartbeats(self) -> None:
        """Renew the lease three times within its length, in a thread with its own connection."""
        server = Connection(self.options.url, token=self.options.token, stop=self.ended, last_tries=0)
        while not self.ended.wait(self.options.lease / 3):
            with self.lock:
                work = self.leased
            if not work:
                continue
            body = {"worker": self.options.worker, "items": [work.item["id"]]}
            try:
                answer = server.post(f"/jobs/{work.document}/heartbeat", body)
            except (GaveUp, Refused) as error:
                log.warning("no heartbeat: %s", error)
                continue
            if answer["cancel_requested"] or answer["lost"]:
                self.lose(work)

    def lose(self, work: Work) -> None:
        """Drop an item whose lease was lost or whose job was cancelled."""
        with self.lock:
            if self.leased is not work:
                return
            self.leased = None
        log.warning("lost the lease of %s of %s", work.item["label"], work.file.name)

    def is_over(self) -> bool:
        """Check whether all documents have ended. With --stay, wait for items that an operator retries."""
        if self.options.stay:
            return False
        jobs = [self.server.get(f"/jobs/{document}") for document in self.documents.own]
        for job in jobs:
            if self.last_revisions.get(job["id"]) != job["revision"]:
                self.last_revisions[job["id"]] = job["revision"]
                log.info("%s %s at %s %%: %s", job["name"], job["status"], job["percent"], job["error"] or job["stage"])
        return all(job["status"] in FINISHED for job in jobs)


def options() -> argparse.Namespace:
    """Parse the options; the environment has the defaults."""
    parser = argparse.ArgumentParser(description="Read the pages of PDFs and report them to Progress Site.")
    parser.add_argument("paths", type=Path, nargs="+", metavar="FILE.pdf", help="a PDF, or a folder of them")
    parser.add_argument("--url", default=os.environ.get("PROGRESS_URL", "http://127.0.0.1:8000"), help="PROGRESS_URL")
    parser.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""), help="PROGRESS_TOKEN")
    parser.add_argument("--project", default="", help="project of the documents (default: none)")
    parser.add_argument("--worker", default=worker_name(), help="a unique worker name")
    parser.add_argument(
        "--pages-per-chunk", type=int, default=25, help="pages per chunk of new documents (default: 25)"
    )
    parser.add_argument("--reader", choices=["auto", "tesseract", "text-layer"], default="auto")
    parser.add_argument("--language", default="eng", help="for tesseract (default: eng)")
    parser.add_argument("--lease", type=int, default=30, help="lease in seconds (default: 30)")
    parser.add_argument("--pace", type=float, default=0.0, help="minimum seconds for a page, for demonstrations")
    parser.add_argument("--out", type=Path, default=Path("texts"), help="the folder of texts (default: texts)")
    parser.add_argument("--stay", action="store_true", help="wait for retried chunks after all documents have ended")
    given = parser.parse_args()
    if not given.token:
        parser.error("a token is required: set --token or PROGRESS_TOKEN")
    return given


def main() -> None:
    """Run the command. SIGTERM and Ctrl-C end it after the current page; a second one ends it at once."""
    given = options()
    name = given.worker
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=f"%(asctime)s {name} %(message)s", datefmt="%X")
    try:
        worker = Worker(given, reader(given.reader, language=given.language))

        def end(number: int, frame: object) -> None:
            worker.stop.set()
            signal.signal(number, signal.SIG_DFL)

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        worker.run()
    except (Unreadable, Refused, GaveUp, OSError) as error:
        raise SystemExit(f"{name}: {error}") from error


if __name__ == "__main__":
    main()
