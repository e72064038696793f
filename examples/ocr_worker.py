"""A worker of Progress Site: it reads the pages of PDFs and merges the text of each document.

    ocr_worker.py contract.pdf … --url http://127.0.0.1:8000 --token SECRET --worker w1

Start as many as you like over the same files and the same folder of texts: each one takes other chunks, of whichever
document is first in line. Kill one, and its chunk comes back when its lease ends. tesseract reads the pages where it is
installed; else they are what the PDF itself says. pypdfium2 and the standard library are needed; Python 3.9 is enough.

A worker's day, in the order of the calls:

    POST /documents                        a document for each file, by project and name: whoever is second finds it
    POST /claim                            a merge or else a chunk, of any document, mine until its lease ends
    GET  /documents/7                      which file that is; for a merge, the chunks with their checksums
    POST /jobs/7/heartbeat                 from a thread: still here, keep this item for me
    POST /jobs/7/phases/ocr/report         what became of it; "pending" gives it back
    GET  /jobs/7                           nothing to claim: is the document finished, or do others still work?
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
    """The work in hand is not to be finished: this worker was stopped, or the item is no longer its own."""


class Worker:
    """One process that works on all documents of its files."""

    def __init__(self, options: argparse.Namespace, reads: Reader) -> None:
        self.options = options
        self.reads = reads
        self.stop = Event()
        self.gone = Event()
        self.server = Connection(options.url, token=options.token, stop=self.stop)
        self.documents = Documents(options.paths, project=options.project)
        self.claims = Claims(self.server, self.documents, options)
        self.texts = ocr_texts.Texts(options.out)
        self.seen: dict[int, int] = {}
        self.held: Work | None = None
        self.lock = Lock()

    def run(self) -> None:
        """Work until the documents are finished or somebody stops this worker."""
        log.info("reading pages with %s", self.reads.name)
        self.documents.create(self.server, pages_per_chunk=self.options.pages_per_chunk)
        if not self.documents.own and not self.options.stay:
            raise SystemExit("There is no document to work on.")
        heart = Thread(target=self.beat, daemon=True)
        heart.start()
        try:
            self.work()
        finally:
            self.give_back()
            self.gone.set()
            heart.join(timeout=5)

    def work(self) -> None:
        """Claim, process, report, until there is nothing more to come."""
        while not self.stop.is_set():
            work = self.claims.next()
            if work:
                self.hold(work)
                self.process(work)
            elif self.is_over():
                return
            else:
                self.stop.wait(IDLE_SECONDS)

    def process(self, work: Work) -> None:
        """Do the work of one item and report what became of it."""
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
        """The pages of a chunk, as one text file."""
        first, last = work.item["payload"]["page_start"], work.item["payload"]["page_end"]
        pages = []
        begun = time.monotonic()
        for number, text in texts(work.file, first=first, last=last, reader=self.reads):
            pages.append(ocr_texts.marked(number, text))
            self.stop.wait(max(0.0, begun + self.options.pace * len(pages) - time.monotonic()))
            self.go_on(work)
        return {**self.keep(work, "".join(pages), name=f"pages-{first}-{last}"), "reader": self.reads.name}

    def merge(self, work: Work) -> dict[str, Any]:
        """The texts of all chunks, each checked, as one file."""
        chunks = self.server.get(f"/documents/{work.document}")["chunks"]
        kept = self.keep(work, self.texts.merged(chunks), name="merged")
        return ocr_texts.merge_result(kept, chunks)

    def keep(self, work: Work, text: str, *, name: str) -> dict[str, str]:
        """Write a text under the attempt of its claim; its checksum and path."""
        return self.texts.write(text, document=work.document, name=name, attempt=work.item["attempt"])

    def go_on(self, work: Work) -> None:
        """Interrupted when this worker was stopped or has lost the item."""
        with self.lock:
            lost = self.held is not work
        if lost or self.stop.is_set():
            raise Interrupted

    def hold(self, work: Work | None) -> None:
        """From now on this is what the heartbeat is about."""
        with self.lock:
            self.held = work

    def report(self, work: Work, **result: Any) -> None:
        """Tell what became of an item. The attempt of the claim is the fence: who lost the item changes nothing."""
        result.update(key=work.item["key"], attempt=work.item["attempt"])
        body = {"worker": self.options.worker, "results": [result]}
        outcome = self.server.post(f"{work.phase_address}/report", body)["results"][0]
        self.hold(None)
        if outcome["outcome"] == "invalid" and result["status"] == "completed":
            self.report(work, status="failed", error=outcome["detail"])
        elif outcome["outcome"] not in ("applied", "duplicate"):
            log.warning("not counted %s: %s", work.item["label"], outcome.get("detail", outcome["outcome"]))

    def give_back(self) -> None:
        """Return what is not finished, so that nobody has to wait for its lease."""
        with self.lock:
            work, self.held = self.held, None
        if work:
            self.claims.give_back(work.document, phase=work.phase, item=work.item)
            log.info("gave %s of %s back", work.item["label"], work.file.name)

    def beat(self) -> None:
        """Keep the lease, three times within it; runs in a thread of its own, on its own connection."""
        server = Connection(self.options.url, token=self.options.token, stop=self.gone, last_tries=0)
        while not self.gone.wait(self.options.lease / 3):
            with self.lock:
                work = self.held
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
        """Somebody else has this item, or nobody needs it any more."""
        with self.lock:
            if self.held is not work:
                return
            self.held = None
        log.warning("lost %s of %s", work.item["label"], work.file.name)

    def is_over(self) -> bool:
        """Are the documents of this worker finished? With --stay go on: an operator may retry what failed."""
        if self.options.stay:
            return False
        jobs = [self.server.get(f"/jobs/{document}") for document in self.documents.own]
        for job in jobs:
            if self.seen.get(job["id"]) != job["revision"]:
                self.seen[job["id"]] = job["revision"]
                log.info("%s %s at %s %%: %s", job["name"], job["status"], job["percent"], job["error"] or job["stage"])
        return all(job["status"] in FINISHED for job in jobs)


def options() -> argparse.Namespace:
    """What the command line and the environment say."""
    parser = argparse.ArgumentParser(description="Read the pages of PDFs and report them to Progress Site.")
    parser.add_argument("paths", type=Path, nargs="+", metavar="FILE.pdf", help="a PDF, or a folder of them")
    parser.add_argument("--url", default=os.environ.get("PROGRESS_URL", "http://127.0.0.1:8000"), help="PROGRESS_URL")
    parser.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""), help="PROGRESS_TOKEN")
    parser.add_argument("--project", default="", help="whose documents these are (default: nobody's)")
    parser.add_argument("--worker", default=worker_name(), help="a name that no other worker has")
    parser.add_argument("--pages-per-chunk", type=int, default=25, help="for documents that are new (default: 25)")
    parser.add_argument("--reader", choices=["auto", "tesseract", "text-layer"], default="auto")
    parser.add_argument("--language", default="eng", help="for tesseract (default: eng)")
    parser.add_argument("--lease", type=int, default=30, help="seconds until a chunk comes back (default: 30)")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds for a page at least, so that one can watch")
    parser.add_argument("--out", type=Path, default=Path("texts"), help="the folder of texts (default: texts)")
    parser.add_argument("--stay", action="store_true", help="wait for retried chunks after all is finished")
    given = parser.parse_args()
    if not given.token:
        parser.error("a token is needed: --token or PROGRESS_TOKEN")
    return given


def main() -> None:
    """The command. SIGTERM and Ctrl-C end it after the page in hand; a second one ends it at once."""
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
