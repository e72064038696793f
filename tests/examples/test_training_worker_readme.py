"""The README's section "A training session" does what it says, as it is written."""

from __future__ import annotations

import json
from pathlib import Path

from tests.examples.site import serving
from tests.examples.tours import walk


def test_drawn_people_become_about_as_many_clusters_and_one_answer_says_so(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        said = walk("A training session", site=site, folder=tmp_path)
    [told] = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert told["overallProgress"]["percentage"] == 100.0
    assert told["phases"]["training"]["progress"]["skipped"] == 6
    assert abs(told["phases"]["clustering"]["clustersCreated"] - 6) <= 1
    table = said.partition("cluster,faces,images,example_path,example_face\n")[2].splitlines()
    assert len(table) == told["phases"]["clustering"]["clustersCreated"]
