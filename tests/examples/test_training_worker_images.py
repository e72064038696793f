"""The drawn pictures, and what is learnt from one: its hash, its embedding, its faces, and who looks alike."""

from __future__ import annotations

import io
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import images
import make_faces
import numpy as np
import pytest
import training_faces
import training_images
from PIL import Image

from tests.examples.site import ROOT

COUNT, PEOPLE = 30, 6
SHOTS = make_faces.shots(COUNT - 1, people=PEOPLE)
DRAWN = [shot for shot in SHOTS if shot.copy_of is None]
COPIES = [shot for shot in SHOTS if shot.copy_of is not None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    list(make_faces.make(made, count=COUNT, people=PEOPLE))
    return made


@pytest.fixture(scope="module")
def pictures(folder: Path) -> dict[str, training_images.Pixels]:
    return {shot.name: training_images.read(folder / shot.name) for shot in SHOTS}


@pytest.fixture(scope="module")
def faces(pictures: dict[str, training_images.Pixels]) -> dict[str, list[training_faces.Face]]:
    detector = training_faces.Detector(min_confidence=0.5)
    return {name: detector.faces(picture) for name, picture in pictures.items()}


def saved_anew(picture: training_images.Pixels, *, quality: int, share: float) -> training_images.Pixels:
    image = Image.fromarray(picture)
    content = io.BytesIO()
    image.resize((round(image.width * share), round(image.height * share))).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content))


# --- the drawn pictures ------------------------------------------------------------------------------


def test_the_folder_has_as_many_files_as_asked_for_and_the_broken_one_ends_in_the_middle(folder: Path) -> None:
    assert len(images.find(folder)) == COUNT
    with pytest.raises(training_images.Unreadable, match="truncated"):
        training_images.read(folder / make_faces.BROKEN)


def test_there_are_portraits_groups_landscapes_and_both_kinds_of_copies() -> None:
    assert {len(shot.people) for shot in DRAWN} == {0, 1, 2}
    assert {person for shot in DRAWN for person in shot.people} == set(range(PEOPLE))
    assert {shot.name.split("/")[0] for shot in COPIES} == {"backup", "shared"}


def test_the_same_numbers_draw_the_same_files_taken_at_the_same_time(folder: Path, tmp_path: Path) -> None:
    list(make_faces.make(tmp_path, count=8, people=PEOPLE))
    names = [name for name in images.find(tmp_path) if name != make_faces.BROKEN]
    assert len(names) == 7
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
        assert (tmp_path / name).stat().st_mtime == (folder / name).stat().st_mtime


def test_every_copy_is_younger_than_its_original(folder: Path) -> None:
    for shot in COPIES:
        original = folder / SHOTS[shot.copy_of or 0].name
        assert (folder / shot.name).stat().st_mtime > original.stat().st_mtime


def test_files_that_are_there_already_are_kept(tmp_path: Path) -> None:
    list(make_faces.make(tmp_path, count=3, people=PEOPLE))
    (tmp_path / SHOTS[0].name).write_bytes(b"of another worker")
    (tmp_path / SHOTS[1].name).unlink()
    assert list(make_faces.make(tmp_path, count=3, people=PEOPLE)) == [SHOTS[1].name]
    assert (tmp_path / SHOTS[0].name).read_bytes() == b"of another worker"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["--count", "1"], "--count must be at least 2"), (["--people", "13"], "--people must be 2-12")],
)
def test_the_command_refuses_with_a_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    command = [sys.executable, "examples/make_faces.py", str(tmp_path / "new"), *arguments]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert not (tmp_path / "new").exists()


# --- duplicates --------------------------------------------------------------------------------------


def test_copies_are_told_under_the_hash_of_their_original_and_all_others_under_their_own(
    pictures: dict[str, training_images.Pixels],
) -> None:
    hashes = training_images.KnownHashes()
    found = {shot.number: hashes.nearest(training_images.phash(pictures[shot.name])) for shot in SHOTS}
    assert {found[shot.number] == found[shot.copy_of or 0] for shot in COPIES} == {True}
    assert len({found[shot.number] for shot in DRAWN}) == len(DRAWN)


@pytest.mark.parametrize(("quality", "share"), [(95, 1.0), (75, 0.8), (60, 0.5), (90, 2.0)])
def test_a_picture_that_is_saved_anew_looks_like_itself_and_like_no_other(
    quality: int, share: float, pictures: dict[str, training_images.Pixels]
) -> None:
    hashes = training_images.KnownHashes()
    own = {shot.name: hashes.nearest(training_images.phash(pictures[shot.name])) for shot in DRAWN}
    for shot in DRAWN:
        anew = saved_anew(pictures[shot.name], quality=quality, share=share)
        assert hashes.nearest(training_images.phash(anew)) == own[shot.name]


def test_hashes_that_are_known_already_are_looked_at_too() -> None:
    hashes = training_images.KnownHashes(["00000000000000ff"])
    assert hashes.nearest("000000000000003f") == "00000000000000ff"
    assert hashes.nearest("000000000000000f") == "000000000000000f"


# --- embeddings --------------------------------------------------------------------------------------


def test_an_embedding_has_length_one_and_a_copy_is_nearer_than_any_other_picture(
    pictures: dict[str, training_images.Pixels],
) -> None:
    vectors = np.stack([training_images.embedding(pictures[shot.name]) for shot in DRAWN])
    assert vectors.shape == (len(DRAWN), training_images.DIMENSIONS)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for place, shot in enumerate(DRAWN[:10]):
        anew = training_images.embedding(saved_anew(pictures[shot.name], quality=75, share=0.8))
        assert int(np.argmax(vectors @ anew)) == place


def test_a_picture_of_one_colour_has_an_embedding_too() -> None:
    plain = np.full((40, 60, 3), 128, np.uint8)
    assert np.isfinite(training_images.embedding(plain)).all()


def test_a_picture_that_was_taken_sideways_is_read_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(tmp_path / "sideways.jpg", exif=exif)
    assert training_images.read(tmp_path / "sideways.jpg").shape == (60, 40, 3)


# --- faces -------------------------------------------------------------------------------------------


def test_nine_of_ten_drawn_people_are_found_and_nobody_in_landscapes(
    faces: dict[str, list[training_faces.Face]],
) -> None:
    there = sum(len(shot.people) for shot in SHOTS)
    found = sum(min(len(faces[shot.name]), len(shot.people)) for shot in SHOTS)
    assert found >= 0.9 * there
    landscapes = [shot for shot in SHOTS if not shot.people]
    assert landscapes
    assert [faces[shot.name] for shot in landscapes] == [[]] * len(landscapes)


def test_a_face_is_told_in_the_dots_of_the_full_picture_also_of_a_large_one(
    pictures: dict[str, training_images.Pixels], faces: dict[str, list[training_faces.Face]]
) -> None:
    [small] = faces[SHOTS[0].name]
    large = np.asarray(Image.fromarray(pictures[SHOTS[0].name]).resize((1600, 1200)))
    [face] = training_faces.Detector(min_confidence=0.5).faces(large)
    middle = [(one.left + one.width / 2, one.top + one.height / 2) for one in (small, face)]
    assert np.allclose(np.array(middle[0]) * 4, middle[1], atol=60)
    assert face.width == pytest.approx(small.width * 4, rel=0.2)


def test_a_face_that_the_detector_is_not_sure_enough_of_is_left_out(
    pictures: dict[str, training_images.Pixels], faces: dict[str, list[training_faces.Face]]
) -> None:
    [face] = faces[SHOTS[0].name]
    assert 0.5 <= face.confidence < 1
    assert training_faces.Detector(min_confidence=0.999).faces(pictures[SHOTS[0].name]) == []


def test_there_are_about_as_many_clusters_as_people_and_none_mixes_two_of_them(
    pictures: dict[str, training_images.Pixels], faces: dict[str, list[training_faces.Face]]
) -> None:
    whole = [shot for shot in SHOTS if len(faces[shot.name]) == len(shot.people)]
    who = [person for shot in whole for person in shot.people]
    descriptors = [training_faces.descriptor(pictures[shot.name], face) for shot in whole for face in faces[shot.name]]
    labels = training_faces.clusters(np.stack(descriptors))
    people: dict[int, set[int]] = defaultdict(set)
    for label, person in zip(labels, who, strict=True):
        people[label].add(person)
    people.pop(-1, None)
    assert abs(len(people) - PEOPLE) <= 1
    assert {len(mixed) for mixed in people.values()} == {1}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_few_faces_are_no_cluster(number: int) -> None:
    descriptors = np.zeros((number, training_faces.DIMENSIONS), np.float32)
    assert training_faces.clusters(descriptors) == [-1] * number
