"""Shared files of training workers: checked when they are read, and clustered by one process at a time."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_clustering import packed
from training_faces import DIMENSIONS, Face
from training_results import Lost, Results

from tests.examples.site import ROOT

Body = dict[str, Any]
NUMBERS = np.arange(6, dtype=np.float32).reshape(2, 3)
HOLD = """
import sys; sys.path.insert(0, "examples")
from pathlib import Path
from training_results import Results
with Results(Path(sys.argv[1]), session=7).exclusive() as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path, session=7)


def item(result: Body | None = None, *, attempt: int = 1) -> Body:
    return {"id": 12, "key": "a.jpg", "attempt": attempt, "result": result}


def test_numbers_come_back_as_they_were_kept(results: Results) -> None:
    kept = results.keep("training", item(), NUMBERS)
    assert kept["path"] == "session-7/training/12.attempt-1.npy"
    assert np.array_equal(results.load("training", item(kept)), NUMBERS)


def test_who_lost_an_image_does_not_write_over_the_numbers_of_its_successor(results: Results) -> None:
    new = results.keep("training", item(attempt=2), NUMBERS)
    results.keep("training", item(attempt=1), NUMBERS * 2)
    assert np.array_equal(results.load("training", item(new)), NUMBERS)


def test_numbers_that_were_changed_are_refused_with_a_remedy(results: Results) -> None:
    kept = results.keep("face_detection", item(), NUMBERS)
    (results.shared / kept["path"]).write_bytes(b"changed")
    with pytest.raises(Lost, match=r"of a\.jpg does not have the reported checksum; .* restart the phase face_detect"):
        results.load("face_detection", item(kept))


@pytest.mark.parametrize("path", [None, "", "session-7/gone.npy", "../outside.npy", "/etc/hostname"])
def test_numbers_that_are_not_below_the_folder_are_refused(path: str | None, tmp_path: Path) -> None:
    (tmp_path / "outside.npy").write_bytes(b"of another worker")
    given = None if path is None else {"path": path, "checksum": ""}
    with pytest.raises(Lost, match=r"is not in .*; start all workers with the same --out"):
        Results(tmp_path / "shared", session=7).load("training", item(given))


def test_a_table_has_its_columns_in_order_and_replaces_the_one_before(results: Results) -> None:
    results.write_table("faces.csv", [{"path": "old.jpg", "face": 0}], columns=("path", "face"))
    path = results.write_table("faces.csv", [{"face": 1, "path": "a,b.jpg"}], columns=("path", "face"))
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["path", "face"], ["a,b.jpg", "1"]]
    assert list(path.parent.iterdir()) == [path]


def test_one_process_is_alone_until_it_ends_however_it_ends(results: Results) -> None:
    command = [sys.executable, "-c", HOLD, str(results.shared)]
    holder = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "True\n"
    with results.exclusive() as mine:
        assert not mine
    holder.kill()
    holder.communicate()
    with results.exclusive() as mine:
        assert mine


@pytest.mark.parametrize("number", [0, 1, 3])
def test_the_faces_of_an_image_are_one_row_each(number: int) -> None:
    faces = [Face(left, 20, 30, 40, 0.75) for left in range(number)]
    pack = packed(faces, [np.full(DIMENSIONS, 0.5, np.float32)] * number)
    assert pack.shape == (number, 5 + DIMENSIONS)
    assert [row[:5].tolist() for row in pack] == [[left, 20, 30, 40, 0.75] for left in range(number)]
