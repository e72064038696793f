"""The block of docs/pipelines/ocr.md does what the page says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.examples.document_blocks import run
from tests.examples.site import ROOT, serving, working


def test_the_broken_page_fails_is_mended_and_retried_and_the_text_is_merged(tmp_path: Path) -> None:
    """A second worker lacks the file, as those of the demo do: it claims chunks and gives them back."""
    other = tmp_path / "other.pdf"
    subprocess.run([sys.executable, "examples/make_pdf.py", str(other), "--pages", "1"], cwd=ROOT, check=True)
    with serving(tmp_path) as site:
        demo = site.worker(other, "--project", "demo-1", "--stay", "--out", str(tmp_path), script="ocr_worker.py")
        with working([demo]):
            printed = run("docs/pipelines/ocr.md#A document with a broken page", site=site, folder=tmp_path)
        [document] = site.get("/documents?project=readme")["results"]
    failed, retried = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    sentence = "Chunk 3 (pages 11-15) failed: page 12 cannot be read: Failed to load page"
    assert failed["results"][0]["job"]["error"] == sentence
    assert retried["changed"] == 1
    assert document["job"]["status"] == "completed"
    assert "--- page 1 ---\nArticle 1\n" in printed
