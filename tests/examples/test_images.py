"""Facts that the example worker reports about a picture."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from PIL import Image

from examples import images, make_images


def test_the_hash_tells_for_each_spot_whether_its_right_neighbour_is_brighter() -> None:
    rising = Image.linear_gradient("L").rotate(90)
    assert images.dhash(rising) == "f" * 16
    assert images.dhash(rising.rotate(180)) == "0" * 16


@pytest.mark.parametrize("number", range(8))
def test_a_smaller_and_worse_copy_has_nearly_the_same_hash(number: int, tmp_path: Path) -> None:
    original = make_images.picture(number, width=800)
    original.resize((400, 300)).save(tmp_path / "copy.jpg", quality=40)
    with Image.open(tmp_path / "copy.jpg") as copy:
        assert images.distance(images.dhash(original), images.dhash(copy)) <= 6


def test_different_pictures_have_different_hashes() -> None:
    hashes = [images.dhash(make_images.picture(number, width=400)) for number in range(12)]
    apart = [images.distance(one, other) for n, one in enumerate(hashes) for other in hashes[n + 1 :]]
    assert min(apart) > 10


def test_the_distance_counts_the_bits_that_differ() -> None:
    assert images.distance("0" * 16, "f" * 16) == 64
    assert images.distance("00000000000000f0", "0000000000000010") == 3


def test_the_facts_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    make_images.picture(1, width=600).save(path)
    facts = images.examine(path, thumbnail=tmp_path / "small" / "a.png.jpg")
    assert (facts["width"], facts["height"], facts["bytes"]) == (600, 450, path.stat().st_size)
    assert facts["checksum"] == hashlib.sha256(path.read_bytes()).hexdigest()
    with Image.open(tmp_path / "small" / "a.png.jpg") as small:
        assert small.size == (256, 192)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b"This is a text.", "not a picture in any format that Pillow knows"),
        (None, "No such file or directory"),
    ],
)
def test_an_unreadable_file_says_why(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(images.Unreadable, match=sentence):
        images.examine(path)


def test_a_picture_that_ends_in_the_middle_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    make_images.picture(1, width=600).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(images.Unreadable, match="truncated"):
        images.examine(path)


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "a/../../b.jpg", "."])
def test_a_name_that_leads_out_of_the_folder_is_not_opened(name: str, tmp_path: Path) -> None:
    with pytest.raises(images.Unreadable, match="out of the folder"):
        images.inside(tmp_path, name)


def test_pictures_are_found_below_the_folder_by_their_suffix_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.JPG", "sub/a.png", "notes.txt", ".hidden/c.jpg", ".d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert images.find(tmp_path) == ["b.JPG", "sub/a.png"]


def test_the_drawn_folder_is_the_same_each_time_and_has_copies_and_broken_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert len(list(make_images.make(one, count=30, width=200))) == 30
    list(make_images.make(other, count=30, width=200))
    contents = {path: (one / path).read_bytes() for path in images.find(one)}
    assert contents == {path: (other / path).read_bytes() for path in images.find(other)}
    assert len(contents) == 30
    assert len(set(contents.values())) < 30
    assert {path for path in contents if path.startswith("broken/")} == set(make_images.BROKEN)


def test_drawing_again_keeps_what_is_there(tmp_path: Path) -> None:
    list(make_images.make(tmp_path, count=10, width=200))
    assert list(make_images.make(tmp_path, count=10, width=200)) == []


def test_a_name_that_is_not_utf8_is_left_out_with_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for file in (b"caf\xe9.jpg", b"a.jpg"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + file)).touch()
    with caplog.at_level("WARNING", logger="examples.images"):
        assert images.find(tmp_path) == ["a.jpg"]
    assert r"caf\udce9.jpg" in caplog.text
