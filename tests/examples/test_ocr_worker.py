"""The OCR worker as a process, against a real server and real PDFs."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from examples import make_pdf
from examples.connection import Connection
from tests.examples.site import Site, eventually, lines_of, serving, terminate, working

PAGES = 20
CHUNKS = 4
BROKEN = 12
SENTENCE = "page 12 cannot be read: Failed to load page"
Body = dict[str, Any]


class Desk:
    """A folder with one PDF, the texts that workers make of it, and the site that they report to."""

    def __init__(self, site: Site, folder: Path, *, lead: Connection) -> None:
        self.site = site
        self.lead = lead
        self.project = folder.name
        self.pdf = folder / "contract.pdf"
        self.texts = folder / "texts"

    def write(self, *, pages: int = PAGES, broken: int | None = None) -> None:
        """Write the PDF, with a broken page or whole."""
        make_pdf.write(self.pdf, make_pdf.pdf(pages, broken=broken))

    def worker(self, *arguments: str, path: Path | None = None) -> subprocess.Popen[str]:
        """Start a worker over the PDF."""
        way = ["--project", self.project, "--pages-per-chunk", "5", "--reader", "text-layer", "--out", str(self.texts)]
        return self.site.worker(path or self.pdf, *way, *arguments, script="ocr_worker.py")

    def work(self, *arguments: str, path: Path | None = None) -> str:
        """Return the output of a worker until its end."""
        worker = self.worker(*arguments, path=path)
        with working([worker]):
            return lines_of(worker)

    def document(self) -> Body:
        """The document as it is now."""
        [found] = self.documents()
        return dict(self.site.get(f"/documents/{found['id']}"))

    def documents(self) -> list[Body]:
        """Those of the project: none until a worker has created one."""
        return list(self.site.get(f"/documents?project={self.project}")["results"])

    def cancel_all(self) -> None:
        """Leave nothing that the workers of other tests might take."""
        for document in self.documents():
            if document["job"]["status"] not in ("completed", "cancelled"):
                self.lead.post(f"/jobs/{document['id']}/cancel", {"reason": "the test is over"})

    def chunks(self, status: str) -> list[Body]:
        """The chunks in this status."""
        return [chunk for chunk in self.document()["chunks"] if chunk["status"] == status] if self.documents() else []

    def merges(self) -> list[Body]:
        """The items of the merge, with their results."""
        return list(self.site.get(f"/jobs/{self.document()['id']}/phases/merge/items")["results"])

    def merged(self) -> str:
        """The text that the merge reported, which has the reported checksum."""
        [item] = self.merges()
        text = (self.texts / item["result"]["path"]).read_text(encoding="utf-8")
        assert item["result"]["checksum"] == hashlib.sha256(text.encode()).hexdigest()
        return text

    def act(self, path: str, body: Body) -> Body:
        """Act as a lead."""
        return dict(self.lead.post(path.format(id=self.document()["id"]), body))


def pages_of(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^--- page (\d+) ---$", text, flags=re.MULTILINE)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def lead(site: Site) -> Connection:
    return Connection(site.url, token=site.tokens["lead"], stop=Event())


@pytest.fixture
def desk(site: Site, lead: Connection, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(site, tmp_path, lead=lead)
    made.write()
    yield made
    made.cancel_all()


def test_every_page_is_read_and_the_chunks_are_merged_in_their_order(desk: Desk) -> None:
    said = desk.work("--worker", "w1")
    document = desk.document()
    assert (document["job"]["status"], document["job"]["percent"]) == ("completed", 100)
    assert (document["page_count"], document["chunk_processing"]["completed_chunks"]) == (PAGES, CHUNKS)
    text = desk.merged()
    assert pages_of(text) == list(range(1, PAGES + 1))
    assert [line for page in range(1, PAGES + 1) for line in make_pdf.lines(page) if line not in text] == []
    [merge] = desk.merges()
    assert [chunk["checksum"] for chunk in merge["result"]["chunks"]] == [
        chunk["result_checksum"] for chunk in document["chunks"]
    ]
    assert "reading pages with text layer" in said
    assert str(desk.texts / merge["result"]["path"]) in said


def test_a_broken_page_fails_its_chunk_and_after_mending_a_retry_finishes_the_document(desk: Desk) -> None:
    desk.write(broken=BROKEN)
    with working([desk.worker("--stay")]):
        eventually(
            lambda: len(desk.chunks("completed")) == CHUNKS - 1 and desk.chunks("failed"), what="the other chunks"
        )
        [failed] = desk.chunks("failed")
        job = desk.document()["job"]
        assert (failed["chunk_index"], failed["attempt"], failed["error"]) == (2, 3, SENTENCE)
        assert (job["status"], job["error"]) == ("failed", f"Chunk 3 (pages 11-15) failed: {SENTENCE}")
        assert [merge["status"] for merge in desk.merges()] == ["pending"]
        desk.write()
        assert desk.act("/documents/{id}/retry", {"reason": "mended"})["changed"] == 1
        eventually(lambda: desk.document()["job"]["status"] == "completed", what="the document")
    assert [chunk["chunk_index"] for chunk in desk.document()["chunks"] if chunk["attempt"] > 1] == [2]
    assert pages_of(desk.merged()) == list(range(1, PAGES + 1))


def test_workers_share_the_chunks_and_one_of_them_merges(desk: Desk) -> None:
    pair = [desk.worker("--worker", name, "--pace", "0.1") for name in ("one", "two")]
    with working(pair):
        for worker in pair:
            lines_of(worker)
    document = desk.document()
    assert document["job"]["status"] == "completed"
    assert {chunk["worker"] for chunk in document["chunks"]} == {"one", "two"}
    assert {chunk["attempt"] for chunk in document["chunks"]} == {1}
    events = [event["type"] for event in desk.site.get(f"/events?job={document['id']}")["results"]]
    assert (events.count("ocr.completed"), events.count("merge.completed"), events.count("job.completed")) == (1, 1, 1)
    assert len(list(desk.texts.rglob("merged.*"))) == 1


def test_a_killed_workers_chunk_is_read_again_by_another(desk: Desk) -> None:
    first = desk.worker("--worker", "first", "--lease", "1", "--pace", "0.3")
    with working([first]):
        eventually(lambda: desk.chunks("completed") and desk.chunks("processing"), what="a worker in its second chunk")
    [held] = desk.chunks("processing")
    desk.work("--worker", "second", "--lease", "1")
    chunks = desk.document()["chunks"]
    assert desk.document()["job"]["status"] == "completed"
    assert {chunk["id"]: chunk["worker"] for chunk in chunks if chunk["attempt"] > 1} == {held["id"]: "second"}


def test_a_stopped_worker_gives_its_chunk_back_after_the_page_in_hand(desk: Desk) -> None:
    worker = desk.worker("--pace", "0.3")
    with working([worker]):
        eventually(lambda: desk.chunks("processing"), what="a worker with a chunk")
        terminate(worker)
        said = lines_of(worker)
    assert len(desk.chunks("pending")) == CHUNKS
    assert "gave back Chunk 1 (pages 1-5) of contract.pdf" in said
    assert not desk.texts.exists()


def test_a_chunk_that_takes_longer_than_its_lease_is_kept_by_heartbeats(desk: Desk) -> None:
    desk.write(pages=5)
    desk.work("--lease", "1", "--pace", "0.5")
    [chunk] = desk.document()["chunks"]
    assert (chunk["status"], chunk["attempt"], chunk["tries"]) == ("completed", 1, 0)


def test_a_cancelled_document_is_left_before_its_chunk_is_finished(desk: Desk) -> None:
    worker = desk.worker("--lease", "1", "--pace", "1")
    with working([worker]):
        eventually(lambda: desk.chunks("processing"), what="a worker with a chunk")
        desk.act("/jobs/{id}/cancel", {"reason": "not needed"})
        said = lines_of(worker)
    assert "lost the lease of Chunk 1 (pages 1-5)" in said
    assert "contract.pdf cancelled" in said
    assert not desk.texts.exists()


def test_a_text_that_was_altered_fails_the_merge_with_the_name_of_its_chunk(desk: Desk) -> None:
    worker = desk.worker("--pace", "0.1")
    with working([worker]):
        eventually(lambda: desk.chunks("completed"), what="the first text")
        (desk.texts / desk.chunks("completed")[0]["result_path"]).write_text("altered")
        lines_of(worker)
    job = desk.document()["job"]
    assert job["status"] == "failed"
    assert re.match(r"Merge failed: chunk 1 \(pages 1-5\): its text in .* does not have", job["error"])


@pytest.mark.parametrize(
    ("name", "project", "pages"),
    [
        ("elsewhere.pdf", "", PAGES),
        ("contract.pdf", "-of-others", PAGES),
        ("contract.pdf", "", PAGES + 1),
    ],
)
def test_a_chunk_whose_file_is_elsewhere_is_given_back_and_does_not_hold_up_the_others(
    name: str, project: str, pages: int, desk: Desk
) -> None:
    theirs = {"name": name, "project": f"{desk.project}{project}", "page_count": pages}
    producer = Connection(desk.site.url, token=desk.site.token, stop=Event())
    foreign = producer.post("/documents", {**theirs, "pages_per_chunk": 5})
    desk.pdf.with_name("own.pdf").write_bytes(desk.pdf.read_bytes())
    said = desk.work(path=desk.pdf.parent)
    items = desk.site.get(f"/jobs/{foreign['id']}/phases/ocr/items")["results"]
    desk.lead.post(f"/jobs/{foreign['id']}/cancel", {"reason": "the test is over"})
    assert "own.pdf completed at 100 %" in said
    assert f"gave back Chunk 1 (pages 1-5) of document {foreign['id']}: its file is not here" in said
    assert said.count("its file is not here") == 1
    assert {item["status"] for item in items} == {"pending"}


def test_a_folder_stands_for_its_pdfs_and_a_file_that_is_none_is_left_out(desk: Desk) -> None:
    desk.pdf.with_name("notes.pdf").write_text("not a PDF")
    said = desk.work(path=desk.pdf.parent)
    assert desk.document()["job"]["status"] == "completed"
    assert f"skipped {desk.pdf.with_name('notes.pdf')}: notes.pdf cannot be opened" in said


def test_a_worker_without_a_document_says_so_and_ends(desk: Desk) -> None:
    desk.pdf.write_text("not a PDF")
    worker = desk.worker()
    worker.communicate(timeout=30)
    assert worker.returncode == 1
    assert not desk.documents()
