"""The shell blocks of quickstart, operators, alerts, live and vision do what the pages say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.document_blocks import run, running
from tests.examples.site import Site, eventually, serving

FIVE_REQUESTS = "docs/quickstart.md#A worker in five requests"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site")) as running_site:
        yield running_site


def test_the_five_requests_and_the_commands_of_operators_run_as_written(site: Site, tmp_path: Path) -> None:
    printed = run(FIVE_REQUESTS, "docs/operators.md#The command line", site=site, folder=tmp_path)
    created, claimed, beaten, reported, job = map(json.loads, printed.split("\n")[:5])
    assert created["phases"][0]["expected"] == 3
    assert [item["key"] for item in claimed["items"]] == ["a.jpg", "b.jpg"]
    assert len(beaten["leases"]) == 2
    assert [result["outcome"] for result in reported["results"]] == ["applied", "applied"]
    assert (job["status"], job["percent"], job["settled_percent"]) == ("processing", 33, 66)
    assert job["error"] == "b.jpg failed: truncated file"
    commands = "\n".join(printed.split("\n")[5:])
    assert "readme" in commands
    assert "Every counter equals its items." in commands
    after = site.job("readme")
    assert after is not None
    assert (after["phases"][0]["failed"], after["phases"][0]["pending"]) == (0, 2)


def test_probes_and_metrics_are_answered(site: Site, tmp_path: Path) -> None:
    ready, *metrics = run("docs/alerts.md#Probes", site=site, folder=tmp_path).splitlines()
    assert '"status"' in ready
    assert any("progress_process_silent" in line for line in metrics)


def test_events_alone_create_and_complete_a_vision_phase(site: Site, tmp_path: Path) -> None:
    *answers, found = run("docs/pipelines/vision.md#Inbound events", site=site, folder=tmp_path).splitlines()
    assert [json.loads(answer)["applied"] for answer in answers] == [True] * 3
    [job] = json.loads(found)["results"]
    statuses = {phase["code"]: phase["status"] for phase in job["phases"]}
    assert statuses == {"image.embeddings": "completed", "image.keypoints": "pending"}


def test_the_stream_of_a_job_begins_with_a_snapshot(site: Site) -> None:
    with running(site, "docs/live.md#Server-sent events") as output:
        eventually(lambda: '"snapshot"' in output.read_text(), what="the snapshot")
