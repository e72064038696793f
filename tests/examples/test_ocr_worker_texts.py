"""The texts that OCR workers share: checked, and merged in the order of the pages."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from examples.ocr_texts import RESULT_BYTES, Altered, Texts, marked, merge_result

Body = dict[str, Any]


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    return Texts(tmp_path)


def chunk(index: int, kept: dict[str, str] | None, *, status: str = "completed") -> Body:
    """A chunk of five pages as GET /documents/7 shows it."""
    kept = kept or {"checksum": None, "path": None}
    pages = {"page_start": index * 5 + 1, "page_end": index * 5 + 5}
    return {
        "chunk_index": index,
        "status": status,
        "result_checksum": kept["checksum"],
        "result_path": kept["path"],
        **pages,
    }


def write(texts: Texts, text: str, *, index: int = 0, attempt: int = 1) -> dict[str, str]:
    return texts.write(text, document=7, name=f"pages-{index}", attempt=attempt)


def test_a_text_is_kept_with_its_checksum_and_its_path_below_the_folder(texts: Texts) -> None:
    kept = write(texts, "Größe\n")
    assert kept == {
        "checksum": hashlib.sha256("Größe\n".encode()).hexdigest(),
        "path": "document-7/pages-0.attempt-1.txt",
    }
    assert (texts.folder / kept["path"]).read_text(encoding="utf-8") == "Größe\n"


def test_who_lost_an_item_does_not_write_over_the_text_of_its_successor(texts: Texts) -> None:
    new = write(texts, "new", attempt=2)
    write(texts, "late", attempt=1)
    assert texts.read(chunk(0, new)) == "new"


def test_the_texts_are_merged_in_the_order_of_the_pages(texts: Texts) -> None:
    chunks = [chunk(index, write(texts, marked(index, f"text {index}"), index=index)) for index in (2, 0, 1)]
    assert texts.merged(chunks) == "".join(f"--- page {index} ---\ntext {index}\n\n" for index in (0, 1, 2))


@pytest.mark.parametrize("status", ["skipped", "failed", "pending"])
def test_a_chunk_without_a_text_is_named_in_its_place(status: str, texts: Texts) -> None:
    chunks = [chunk(0, write(texts, "first\n")), chunk(1, None, status=status)]
    assert texts.merged(chunks) == f"first\n--- pages 6-10 are missing: {status} ---\n\n"


def test_a_text_that_was_changed_is_not_merged(texts: Texts) -> None:
    kept = write(texts, "as reported")
    (texts.folder / kept["path"]).write_text("as altered")
    with pytest.raises(Altered, match=r"^chunk 1 \(pages 1-5\): its text in .* does not have the reported checksum"):
        texts.merged([chunk(0, kept)])


def test_a_text_that_is_gone_is_named(texts: Texts) -> None:
    kept = write(texts, "as reported")
    (texts.folder / kept["path"]).unlink()
    with pytest.raises(Altered, match=r"^chunk 1 \(pages 1-5\): its text cannot be read from .*restart the phase ocr"):
        texts.merged([chunk(0, kept)])


@pytest.mark.parametrize("path", [None, "", "../secret.txt", "/etc/hostname", "document-7/../../secret.txt", "."])
def test_a_path_that_leads_out_of_the_folder_is_not_opened(path: str | None, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(Altered, match="reported no path"):
        Texts(tmp_path / "texts").read({**chunk(0, None), "result_path": path})


def test_a_merge_tells_the_checksum_of_every_completed_chunk(texts: Texts) -> None:
    kept = write(texts, "all")
    chunks = [chunk(0, write(texts, "first")), chunk(1, None, status="skipped")]
    kept_chunks = [{"chunk_index": 0, "checksum": chunks[0]["result_checksum"]}]
    assert merge_result(kept, chunks) == {**kept, "chunks": kept_chunks}


@pytest.mark.parametrize(("chunks", "listed"), [(100, True), (5000, False)])
def test_a_merge_of_more_chunks_than_a_result_may_have_tells_a_digest_of_them(
    chunks: int, listed: bool, texts: Texts
) -> None:
    kept = write(texts, "all")
    result = merge_result(kept, [chunk(index, kept) for index in range(chunks)])
    assert ("chunks" in result, "chunks_digest" in result) == (listed, not listed)
    assert len(json.dumps(result)) <= RESULT_BYTES
