"""The block of docs/pipelines/training.md does what the page says."""

from __future__ import annotations

import json
from pathlib import Path

from tests.examples.document_blocks import run
from tests.examples.site import serving


def test_drawn_people_become_about_as_many_clusters_and_one_answer_says_so(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        printed = run("docs/pipelines/training.md#Drawn people", site=site, folder=tmp_path)
    [unified] = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert unified["overallProgress"]["percentage"] == 100.0
    assert unified["phases"]["training"]["progress"]["skipped"] == 6
    assert abs(unified["phases"]["clustering"]["clustersCreated"] - 6) <= 1
    table = printed.partition("cluster,faces,images,example_path,example_face\n")[2].splitlines()
    assert len(table) == unified["phases"]["clustering"]["clustersCreated"]
