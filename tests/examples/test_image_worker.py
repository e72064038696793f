"""The example worker as a process, against a real server."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples import images, make_images
from tests.examples.site import Site, eventually, lines_of, serving, terminate, working

COUNT = 40
SENTENCES = {
    "broken/empty.jpg": "the file is empty",
    "broken/text-not-a-picture.png": "not a picture in any format that Pillow knows",
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    list(make_images.make(folder, count=COUNT, width=600))
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site")) as running:
        yield running


def in_the_middle(site: Site, name: str) -> bool:
    job = site.job(name)
    return bool(job and job["phases"][0]["done"] and job["phases"][0]["processing"])


def test_every_picture_is_settled_and_the_broken_ones_fail_with_a_sentence(
    site: Site, pictures: Path, tmp_path: Path
) -> None:
    out, thumbs = tmp_path / "hashes.csv", tmp_path / "thumbs"
    said = lines_of(site.worker(pictures, "--job", "all", "--worker", "w1", "--out", str(out), "--thumbs", str(thumbs)))
    job = site.job("all")
    assert job is not None
    phase = job["phases"][0]
    assert (job["status"], job["partial"]) == ("completed", True)
    assert (phase["expected"], phase["done"], phase["failed"]) == (COUNT, COUNT - 3, 3)
    errors = {item["key"]: item["error"] for item in site.items(job, status="failed")}
    assert set(errors) == set(make_images.BROKEN)
    assert "truncated" in errors.pop("broken/ends-in-the-middle.jpg")
    assert errors == SENTENCES
    assert f"{COUNT - 3} hashes in {out}" in said
    with out.open() as file:
        rows = {row["key"]: row["hash"] for row in csv.DictReader(file)}
    good = [name for name in images.find(pictures) if name not in make_images.BROKEN]
    assert rows == {name: images.examine(pictures / name)["hash"] for name in good}
    assert images.find(thumbs) == [f"{name}.jpg" for name in good]


def test_a_killed_workers_pictures_are_finished_by_the_other_exactly_once(
    site: Site, pictures: Path, tmp_path: Path
) -> None:
    way = ["--job", "killed", "--lease", "2", "--batch", "30", "--out", str(tmp_path / "hashes.csv")]
    first = site.worker(pictures, *way, "--worker", "w1")
    with working([first]):
        eventually(lambda: in_the_middle(site, "killed"), what="a worker in the middle of its pictures")
    job = site.job("killed")
    assert job is not None
    held = {item["key"] for item in site.items(job, status="processing")}
    lines_of(site.worker(pictures, *way, "--worker", "w2"))
    after = site.job("killed")
    assert after is not None
    assert (after["status"], after["phases"][0]["done"], after["phases"][0]["failed"]) == ("completed", COUNT - 3, 3)
    items = site.items(after)
    # A broken picture fails three times: its retries are attempts that ended with an outcome.
    outcomes = {item["key"]: item["failures"] + (item["status"] == "completed") for item in items}
    assert {key for key, number in outcomes.items() if number == 3} == set(make_images.BROKEN)
    again = {item["key"]: item["worker"] for item in items if item["attempt"] > outcomes[item["key"]]}
    assert again
    assert set(again) <= held
    assert set(again.values()) == {"w2"}
    completed = [event for event in site.get(f"/events?job={job['id']}")["results"] if event["type"] == "job.completed"]
    assert len(completed) == 1


def test_a_stopped_worker_gives_back_what_it_had_not_begun(site: Site, pictures: Path) -> None:
    worker = site.worker(pictures, "--job", "stopped", "--batch", "30")
    with working([worker]):
        eventually(lambda: in_the_middle(site, "stopped"), what="a worker in the middle of its pictures")
        terminate(worker)
        said = lines_of(worker)
    job = site.job("stopped")
    assert job is not None
    phase = job["phases"][0]
    assert (phase["processing"], job["status"]) == (0, "processing")
    assert phase["pending"] == COUNT - phase["done"] - phase["failed"] > 0
    assert re.search(r"gave back \d+ pictures", said)


def test_workers_wait_for_the_items_that_others_hold_and_all_write_the_same_hashes(
    site: Site, pictures: Path, tmp_path: Path
) -> None:
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    pair = [site.worker(pictures, "--job", "pair", "--worker", file.stem, "--out", str(file)) for file in files]
    for worker in pair:
        lines_of(worker)
    one, two = (file.read_text() for file in files)
    assert one == two
    assert len(one.splitlines()) == COUNT - 3 + 1
    job = site.job("pair")
    assert job is not None
    assert {item["worker"] for item in site.items(job)} == {"one", "two"}


def test_nothing_is_lost_when_the_server_is_killed_and_comes_back(pictures: Path, tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        way = ["--job", "survived", "--lease", "2", "--out", str(tmp_path / "hashes.csv")]
        pair = [site.worker(pictures, *way, "--worker", name) for name in ("w1", "w2")]
        with working(pair):
            eventually(lambda: in_the_middle(site, "survived"), what="workers in the middle of their pictures")
            site.kill()
            site.start()
            said = [lines_of(worker) for worker in pair]
        job = site.job("survived")
    assert job is not None
    phase = job["phases"][0]
    assert (job["status"], phase["done"], phase["failed"]) == ("completed", COUNT - 3, 3)
    assert any("no answer" in lines for lines in said)


def test_frames_without_a_total_wait_and_frames_with_one_complete_at_the_threshold(site: Site, pictures: Path) -> None:
    unknown = ["--job", "unknown", "--frames", "8"]
    known = ["--job", "known", "--frames", "11", "--announce", "12"]
    for way in (unknown, known):
        lines_of(site.worker(pictures, *way, script="frame_worker.py"))
    waiting, complete = site.job("unknown"), site.job("known")
    assert waiting is not None
    assert complete is not None
    assert (waiting["status"], waiting["phases"][0]["done"], waiting["phases"][0]["expected"]) == (
        "processing",
        8,
        None,
    )
    assert (complete["status"], complete["partial"]) == ("completed", True)
    assert complete["phases"][0]["completed_by"] == "threshold"
