"""The PDF that the example writes, and how its pages are read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from examples import make_pdf, ocr_pages
from tests.examples.site import ROOT

PAGES = 8
LAYER = ocr_pages.TextLayer()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "examples/make_pdf.py", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def fake_tesseract(folder: Path, script: str) -> ocr_pages.Tesseract:
    """A command that says its version, and else does what the script does."""
    path = folder / "tesseract"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "tesseract 5.9" && exit\n{script}\n')
    path.chmod(0o755)
    return ocr_pages.Tesseract(str(path))


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    path = tmp_path / "contract.pdf"
    path.write_bytes(make_pdf.pdf(PAGES))
    return path


def read(path: Path, first: int = 1, last: int = PAGES, *, reader: ocr_pages.Reader = LAYER) -> dict[int, str]:
    return dict(ocr_pages.texts(path, first=first, last=last, reader=reader))


def test_the_text_layer_has_every_line_of_every_page_in_order(pdf: Path) -> None:
    assert ocr_pages.page_count(pdf) == PAGES
    for number, text in read(pdf).items():
        written = [make_pdf.title(number), *filter(None, make_pdf.lines(number)), f"Page {number} of {PAGES}"]
        assert text.splitlines() == written


def test_only_the_pages_that_are_asked_for_are_read(pdf: Path) -> None:
    assert list(read(pdf, 3, 5)) == [3, 4, 5]


def test_the_same_number_of_pages_writes_the_same_file_and_every_page_is_different() -> None:
    assert make_pdf.pdf(PAGES) == make_pdf.pdf(PAGES)
    assert len({"".join(make_pdf.lines(page)) for page in range(1, PAGES + 1)}) == PAGES


@pytest.mark.parametrize("page", [1, 5, PAGES])
def test_a_broken_page_names_itself_and_all_others_can_be_read(page: int, pdf: Path) -> None:
    whole = read(pdf)
    pdf.write_bytes(make_pdf.pdf(PAGES, broken=page))
    assert ocr_pages.page_count(pdf) == PAGES
    with pytest.raises(ocr_pages.Unreadable, match=f"^page {page} cannot be read: Failed to load page$"):
        read(pdf, page, page)
    for number in set(whole) - {page}:
        assert read(pdf, number, number) == {number: whole[number]}


def test_mending_makes_the_file_whole_again(pdf: Path) -> None:
    whole = pdf.read_bytes()
    broken = make_pdf.pdf(PAGES, broken=3)
    assert broken != whole
    assert make_pdf.mended(broken) == make_pdf.mended(whole) == whole


def test_the_command_writes_breaks_and_mends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "contract.pdf"
    assert command(str(path), "--pages", "4", "--break", "2").returncode == 0
    assert path.read_bytes() == make_pdf.pdf(4, broken=2)
    assert command(str(path), "--mend").returncode == 0
    assert path.read_bytes() == make_pdf.pdf(4)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--pages", "0"], "--pages must be 1-5000"),
        (["--pages", "4", "--break", "5"], "--break must name one of the pages 1-4"),
        (["--pages", "4", "--break", "0"], "--break must name one of the pages 1-4"),
        (["--mend"], "No such file or directory"),
    ],
)
def test_the_command_refuses_with_a_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    refused = command(str(tmp_path / "contract.pdf"), *arguments)
    assert refused.returncode != 0
    assert sentence in refused.stderr


def test_a_file_of_somebody_else_is_not_mended(tmp_path: Path) -> None:
    path = tmp_path / "other.pdf"
    path.write_bytes(b"%PDF-1.7 of another program")
    assert "was not written by make_pdf.py" in command(str(path), "--mend").stderr
    assert path.read_bytes() == b"%PDF-1.7 of another program"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "No such file or directory"), (b"", "Failed to load document"), (b"a text", "Failed to load document")],
)
def test_a_file_that_is_no_pdf_says_so_with_its_name(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.pdf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ocr_pages.Unreadable, match=f"^notes.pdf cannot be opened: {sentence}"):
        ocr_pages.page_count(path)


def test_tesseract_is_given_a_picture_of_the_page(pdf: Path, tmp_path: Path) -> None:
    tesseract = fake_tesseract(tmp_path, "head -c 17; cat >/dev/null; echo \"$@\"; printf 'last line  \\n\\f'")
    picture, arguments, line = read(pdf, 1, 1, reader=tesseract)[1].splitlines()
    assert picture == "P5 2480 3509 255"
    assert arguments == "stdin stdout -l eng --dpi 300"
    assert line == "last line"
    assert tesseract.name == "tesseract 5.9"


def test_the_picture_of_a_page_has_a_byte_for_every_dot_and_shows_something(pdf: Path) -> None:
    with ocr_pages.opened(pdf) as document:
        header, _, dots = ocr_pages.picture(document[0]).partition(b"\n")
    width, height = map(int, header.split()[1:3])
    assert len(dots) == width * height
    assert {min(dots), max(dots)} == {0, 255}


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo first >&2; echo no such language >&2; exit 1", "tesseract ended with 1: no such language"),
        ("kill -9 $$", "tesseract ended with -9: no message"),
    ],
)
def test_a_page_that_tesseract_cannot_read_says_why(script: str, sentence: str, pdf: Path, tmp_path: Path) -> None:
    tesseract = fake_tesseract(tmp_path, f"cat >/dev/null; {script}")
    with pytest.raises(ocr_pages.Unreadable, match=f"^page 2 cannot be read: {sentence}$"):
        read(pdf, 2, 2, reader=tesseract)


def test_a_page_that_takes_tesseract_too_long_says_so(
    pdf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocr_pages, "PAGE_SECONDS", 0.2)
    with pytest.raises(ocr_pages.Unreadable, match="tesseract took longer than"):
        read(pdf, 2, 2, reader=fake_tesseract(tmp_path, "exec sleep 5"))


def test_tesseract_is_taken_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tesseract(tmp_path, "")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert ocr_pages.reader("auto", language="eng").name == "tesseract 5.9"
    assert ocr_pages.reader("tesseract", language="eng").name == "tesseract 5.9"
    assert ocr_pages.reader("text-layer", language="eng").name == "text layer"


def test_the_text_layer_is_taken_where_tesseract_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ocr_pages.reader("auto", language="eng").name == "text layer"
    with pytest.raises(ocr_pages.Unreadable, match="tesseract is not installed"):
        ocr_pages.reader("tesseract", language="eng")
