"""The README's section "An OCR document" does what it says, as it is written."""

from __future__ import annotations

import json
from pathlib import Path

from tests.examples.site import serving
from tests.examples.tours import walk


def test_the_broken_page_fails_is_mended_and_retried_and_the_text_is_merged(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        said = walk("An OCR document", site=site, folder=tmp_path)
        [document] = site.get("/documents?project=readme")["results"]
    failed, retried = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    sentence = "Chunk 3 (pages 11-15) failed: page 12 cannot be read: Failed to load page"
    assert failed["results"][0]["job"]["error"] == sentence
    assert retried["changed"] == 1
    assert document["job"]["status"] == "completed"
    assert "--- page 1 ---\nArticle 1\n" in said
