"""Fingerprints of errors: the same for errors that differ only in numbers, paths and ids."""

from __future__ import annotations

import re
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.rules.error_fingerprints import signature
from jobs.rules.limits import ERROR_LENGTH

UUID = "3f2c9a10-0000-4000-8000-00000000002a"
PIECES = (
    "timeout", "after", "30", " ", " s", "#", "…", "/", "\\", "//", ":", "'", '"', "`", "(", ")", ".", ",", "-", "_",
    "@", ".png", "a/b", "C:\\x", "s3://b/k", UUID, "0x7f3a", "deadbeef42", "x", "e-05", "A4", "é", "\n", "~/", "../",
    "=", ";",
)  # fmt: skip
TEXT = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("timeout after 30 s on page 101-125", "timeout after # s on page #-#"),
        ("CUDA out of memory: tried to allocate 24.00 MiB", "CUDA out of memory: tried to allocate # MiB"),
        ("loss is 1.2e-05, was 1,024.5", "loss is #, was #"),
        ("HTTP 503.", "HTTP #."),
        ("no digits", "no digits"),
        ("12345", "#"),
        ("", ""),
    ],
)
def test_a_number_is_not_part_of_it(error: str, said: str) -> None:
    assert signature(error) == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("Cannot open /data/in/37/page-004.png: no such file", "Cannot open …: no such file"),
        ("[Errno 2] No such file: '/data/in/37/page 004.png'", "[Errno #] No such file: '…'"),
        ("s3://bucket/key/12.png: access denied.", "…: access denied."),
        ("GET https://ocr.example:8443/v1/pages?id=12,13&deep=1 failed: HTTP 503", "GET … failed: HTTP #"),
        (r"C:\scans\y.png is missing", "… is missing"),
        (r'"C:\Program Files\My App\y.png" is missing', '"…" is missing'),
        (r"\\server\share\x.tif is unreadable", "… is unreadable"),
        ("frame_00012.jpg has no frame", "… has no frame"),
        ("Can't open 'Rechnung März 2024.pdf'", "Can't open '…'"),
        ("file:/data/x.png, path=../in/y, images/37/a (see ~/notes)", "file:…, path=…, … (see …)"),
        ('File "/srv/app/worker.py", line 12, in run', 'File "…", line #, in run'),
        ("weights.pt:12: bad checkpoint", "…: bad checkpoint"),
    ],
)
def test_a_path_an_address_and_the_name_of_a_file_are_not_part_of_it(error: str, said: str) -> None:
    assert signature(error) == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (f"Asset {UUID} is not an image", "Asset # is not an image"),
        (f"asset_{UUID.upper()}: empty", "asset_#: empty"),
        (f"{UUID.replace('-', '')} and 507f1f77bcf86cd799439011", "# and #"),
        ("<Image size=640x480 at 0x7F3A2C1D>", "<Image size=# at #>"),
        ("sha256:9f86d081884c7d659a2feaa0c55ad015 differs", "sha#:# differs"),
        ("request 01ARZ3NDEKTSV4RRFFQ69G5FAV and job 3f2c9a1b", "request # and job #"),
        ("anna.b@example.com may not read it", "# may not read it"),
    ],
)
def test_an_id_is_not_part_of_it(error: str, said: str) -> None:
    assert signature(error) == said


@pytest.mark.parametrize(
    "error",
    [
        "torch.cuda.OutOfMemoryError: CUDA error",
        "and/or N/A TCP/IP image/png application/vnd.ms-excel e.g. i.e.",
        "a dead cafe has a facade: deadbeef, a-b-c-d-e",
        "he said 'it is broken' and \"cannot go on\", @worker",
        "Seite fehlt — größer als erlaubt",
    ],
)
def test_words_stay(error: str) -> None:
    assert signature(error) == error


@pytest.mark.parametrize(
    ("error", "said"), [("yolov8n on H264", "yolov#n on H#"), ("page A4 in 3D, utf8mb4", "page A# in #D, utf#mb#")]
)
def test_names_with_numbers_stay_readable(error: str, said: str) -> None:
    assert signature(error) == said


@given(TEXT)
def test_a_sentence_its_older_form_and_its_signature_have_one_signature(error: str) -> None:
    said = signature(error)
    assert signature(said) == said
    assert signature(re.sub(r"\d+", "#", error)) == said
    assert len(said) <= len(error)
    assert re.search(r"\d", said) is None


@pytest.mark.parametrize("number", range(3))
@given(st.uuids(), st.uuids())
def test_two_ids_make_no_difference(number: int, one: object, other: object) -> None:
    sentence = ("asset {}", "s3://bucket/{}.bin is gone", "<{}>")[number]
    assert signature(sentence.format(one)) == signature(sentence.format(other))


@pytest.mark.parametrize(
    "piece",
    ["a", "a/", "/", "\\", "'", "'a ", "'/a ", "#-", "f-", "a-a-a-1-", "://", "a://", "a:", "@", "a@b.", "1.2,", "1e-",
     ".png", "a.png:", "a.png:1", "1x", "(", "…/", "1.'"],
)  # fmt: skip
def test_hostile_text_takes_no_longer_than_other_text(piece: str) -> None:
    hostile = (piece * 2000)[:2000]
    before = perf_counter()
    signature(hostile)
    assert perf_counter() - before < 0.5


def test_the_column_holds_it() -> None:
    assert len(signature("a /b " * 100)) <= ERROR_LENGTH
