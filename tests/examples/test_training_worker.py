"""The training worker as a process, against a real server and drawn people."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import make_faces
import numpy as np
import pytest
import training_worker
from training_results import Results

from examples.connection import Connection
from tests.examples.site import Site, eventually, lines_of, serving, terminate, working

COUNT, PEOPLE = 20, 3
SHOTS = make_faces.shots(COUNT - 1, people=PEOPLE)
COPIES = [shot for shot in SHOTS if shot.copy_of is not None]
THERE = sum(len(shot.people) for shot in SHOTS)
Body = dict[str, Any]


class Studio:
    """A folder of pictures, what workers make of it, and the site that they report to."""

    def __init__(self, site: Site, folder: Path, *, pictures: Path, lead: Connection) -> None:
        self.site = site
        self.lead = lead
        self.worked = Connection(site.url, token=site.token, stop=Event())
        self.name = folder.name
        self.pictures = pictures
        self.out = folder / "out"

    def worker(self, *arguments: str, out: Path | None = None) -> subprocess.Popen[str]:
        """Start a worker of the session."""
        way = ["--session", self.name, "--out", str(out or self.out)]
        return self.site.worker(self.pictures, *way, *arguments, script="training_worker.py")

    def job(self) -> Body:
        """The job of the session as it is now; empty before it is created."""
        return self.site.job(self.name) or {}

    def phase(self, place: int) -> Body:
        """Training, face detection or clustering as it is now; empty before it is created."""
        job = self.job()
        return dict(job["phases"][place]) if job else {}

    def get(self, path: str = "") -> Body:
        """Fetch a resource below the session's address."""
        return dict(self.site.get(f"/training/{self.job()['id']}{path}"))

    def items(self, phase: str) -> dict[str, Body]:
        """The items of a phase by their paths."""
        found = self.site.get(f"/jobs/{self.job()['id']}/phases/{phase}/items?limit=200")["results"]
        return {item["key"]: item for item in found}

    def restart(self, what: str) -> None:
        """Act as a lead."""
        self.lead.post(f"/training/{self.job()['id']}/restart", {"what": what, "reason": "once more"})

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of a table of the session."""
        with (self.out / f"session-{self.job()['id']}" / name).open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def lead(site: Site) -> Connection:
    return Connection(site.url, token=site.tokens["lead"], stop=Event())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    list(make_faces.make(folder, count=COUNT, people=PEOPLE))
    return folder


@pytest.fixture
def studio(site: Site, lead: Connection, tmp_path: Path, pictures: Path) -> Studio:
    return Studio(site, tmp_path, pictures=pictures, lead=lead)


@pytest.fixture
def few(site: Site, lead: Connection, tmp_path: Path, pictures: Path) -> Studio:
    """Three of the pictures, each of a different person."""
    folder = tmp_path / "few"
    folder.mkdir()
    for shot in SHOTS[:3]:
        shutil.copy2(pictures / shot.name, folder)
    return Studio(site, tmp_path, pictures=folder, lead=lead)


def in_the_middle(phase: Body) -> bool:
    return bool(phase and phase["done"] and phase["processing"])


def test_two_workers_take_a_session_through_all_three_phases(studio: Studio) -> None:
    for worker in [studio.worker("--worker", name, "--batch", "2", "--pace", "0.1") for name in ("one", "two")]:
        lines_of(worker)
    session, trained = studio.get(), studio.items("training")
    assert session["job"]["status"] == "completed"
    assert session["images"] == {"total": COUNT, "unique": COUNT - len(COPIES), "skipped": len(COPIES)}
    for shot in COPIES:
        original = trained[SHOTS[shot.copy_of or 0].name]
        assert trained[shot.name]["error"] == f"Duplicate of image {original['id']}"
    detected = studio.items("face_detection")
    for items in (trained, detected):
        assert [key for key, item in items.items() if item["status"] == "failed"] == [make_faces.BROKEN]
        assert "truncated" in items[make_faces.BROKEN]["error"]
    assert {item["worker"] for item in detected.values()} == {"one", "two"}
    faces = session["faces"]
    assert faces["faces_detected"] >= 0.9 * THERE
    assert faces["faces_detected"] == sum(item["result"]["faces"] for item in detected.values() if item["result"])
    assert (faces["current_asset_index"], faces["current_batch"], faces["total_batches"]) == (COUNT, 10, 10)
    unified = studio.get("/progress/unified")
    assert (unified["overallStatus"], unified["overallProgress"]["percentage"]) == ("completed", 100.0)
    assert abs(unified["phases"]["clustering"]["clustersCreated"] - PEOPLE) <= 1
    check_tables(studio, session)


def check_tables(studio: Studio, session: Body) -> None:
    """The tables have the results that were reported."""
    faces, clusters, trained = (studio.table(f"{name}.csv") for name in ("faces", "clusters", "images"))
    assert len(faces) == session["faces"]["faces_detected"]
    assert len([face for face in faces if face["cluster"]]) == session["faces"]["faces_assigned"]
    assert len(clusters) == session["clustering"]["clusters_created"]
    assert sum(int(row["faces"]) for row in clusters) == session["faces"]["faces_assigned"]
    assert {face["cluster"] for face in faces} - {""} == {row["cluster"] for row in clusters}
    embeddings = np.load(studio.out / f"session-{session['id']}" / "embeddings.npy")
    assert len(embeddings) == len(trained) == COUNT - len(COPIES) - 1
    assert make_faces.BROKEN not in {row["path"] for row in trained}


def test_a_killed_workers_images_are_finished_by_the_other_exactly_once(studio: Studio) -> None:
    way = ["--lease", "2", "--batch", "6", "--pace", "0.1"]
    first, second = (studio.worker("--worker", name, *way) for name in ("first", "second"))
    with working([second]):
        with working([first]):
            eventually(lambda: in_the_middle(studio.phase(1)), what="workers that detect faces")
            eventually(lambda: held_by(studio, "first"), what="a worker that is in the middle")
        held = held_by(studio, "first")
        lines_of(second)
    items = studio.items("face_detection")
    broken = items.pop(make_faces.BROKEN)  # is retried by itself
    again = {key: item["worker"] for key, item in items.items() if item["attempt"] > 1}
    assert again
    assert set(again) <= held
    assert set(again.values()) == {"second"}
    assert (broken["status"], broken["failures"]) == ("failed", 3)
    assert studio.job()["status"] == "completed"
    assert (studio.phase(1)["done"], studio.phase(1)["failed"]) == (COUNT - 1, 1)
    events = [event["type"] for event in studio.site.get(f"/events?job={studio.job()['id']}")["results"]]
    assert (events.count("face_detection.completed"), events.count("clustering.completed")) == (1, 1)


def held_by(studio: Studio, worker: str) -> set[str]:
    items = studio.items("face_detection").items()
    return {key for key, item in items if (item["worker"], item["status"]) == (worker, "processing")}


def test_a_stopped_worker_gives_back_what_it_had_not_begun(studio: Studio) -> None:
    worker = studio.worker("--batch", "10", "--pace", "0.3")
    with working([worker]):
        eventually(lambda: in_the_middle(studio.phase(0)), what="a worker in the middle of its images")
        terminate(worker)
        said = lines_of(worker)
    phase = studio.phase(0)
    assert phase["processing"] == 0
    assert phase["pending"] == COUNT - len(COPIES) - phase["done"] - phase["failed"] > 0
    assert re.search(r"gave back \d+ images of training", said)


def test_an_image_that_takes_longer_than_its_lease_is_kept_by_heartbeats(few: Studio) -> None:
    lines_of(few.worker("--lease", "1", "--pace", "0.6", "--batch", "3"))
    assert {(item["attempt"], item["tries"]) for item in few.items("training").values()} == {(1, 0)}


def test_clustering_that_was_left_running_is_done_once_nobody_else_is_at_it(few: Studio) -> None:
    lines_of(few.worker())
    number = few.job()["id"]
    few.restart("clustering")
    few.worked.post(f"/training/{number}/clustering", {"status": "running"})
    with working([other := few.worker("--worker", "other")]):
        with Results(few.out, session=number).exclusive() as mine:
            assert mine
            assert any("nothing to do" in line for line in other.stdout or [])
            assert few.phase(2)["status"] == "processing"
        lines_of(other)
    clustering = few.get()["clustering"]
    assert (clustering["status"], clustering["current"], clustering["clusters_created"]) == ("completed", 3, 0)
    assert [(face["cluster"], face["face"]) for face in few.table("faces.csv")] == [("", "0")] * 3


def test_clustering_without_what_was_reported_fails_with_a_remedy_and_a_worker_that_stays_takes_the_restart(
    few: Studio, tmp_path: Path
) -> None:
    lines_of(few.worker())
    few.restart("clustering")
    said = lines_of(few.worker(out=tmp_path / "elsewhere"))
    clustering = few.get()["clustering"]
    assert clustering["status"] == "failed"
    assert "start all workers with the same --out and restart the phase face_detection" in clustering["error"]
    assert clustering["error"] in said
    with working([few.worker("--stay")]):
        few.restart("faces")
        eventually(lambda: few.job()["status"] == "completed", what="the session")
    assert [few.phase(place)["run"] for place in range(3)] == [1, 2, 3]


def test_a_new_file_of_a_finished_session_is_left_out_with_the_reason(few: Studio, pictures: Path) -> None:
    lines_of(few.worker())
    shutil.copy2(pictures / SHOTS[4].name, few.pictures)
    assert "images were not added: Phase training is completed" in lines_of(few.worker())
    assert few.get()["images"]["total"] == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--token", ""], "a token is required: set --token or PROGRESS_TOKEN"),
        (["--min-confidence", "2"], "--min-confidence must be 0-1"),
        (["--batch", "0"], "--batch must be at least 1"),
        (["--lease", "0"], "--lease must be at least 1"),
    ],
)
def test_a_worker_refuses_senseless_options(
    arguments: list[str],
    sentence: str,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(pictures), "--session", "s", "--token", "t", *arguments]
    monkeypatch.setattr(sys, "argv", ["training_worker.py", *given])
    with pytest.raises(SystemExit):
        training_worker.options()
    assert sentence in capsys.readouterr().err


def test_a_folder_without_pictures_is_no_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training_worker.py", str(tmp_path), "--session", "s", "--token", "t"])
    with pytest.raises(SystemExit):
        training_worker.options()
    assert f"there are no pictures in {tmp_path}" in capsys.readouterr().err
