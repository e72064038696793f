"""The text of the pages of a PDF: by tesseract where it is installed, else what the PDF itself says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import pypdfium2

DPI = 300
POINTS_AN_INCH = 72
PAGE_SECONDS = 600.0


class Unreadable(Exception):
    """A file or a page that cannot be read; the text says which and why."""


class Reader(Protocol):
    """A way to get at the text of a page."""

    name: str

    def text(self, page: pypdfium2.PdfPage) -> str:
        """The text of this page; Unreadable says why there is none."""


class TextLayer:
    """What the PDF says itself; a scanned page says nothing."""

    name = "text layer"

    def text(self, page: pypdfium2.PdfPage) -> str:
        """The text of this page, empty where it has none."""
        with closing(page.get_textpage()) as layer:
            return str(layer.get_text_bounded())


class Tesseract:
    """The command `tesseract`, which looks at a picture of the page."""

    def __init__(self, command: str, *, language: str = "eng") -> None:
        self._command = [command, "stdin", "stdout", "-l", language, "--dpi", str(DPI)]
        self.name = version(command)

    def text(self, page: pypdfium2.PdfPage) -> str:
        """The text of this page as tesseract reads it."""
        try:
            # One thread each, because there are several workers; a session of its own, so that a signal for this
            # worker lets the page in hand be finished.
            done = subprocess.run(
                self._command,
                input=picture(page),
                capture_output=True,
                timeout=PAGE_SECONDS,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as error:
            raise Unreadable(f"tesseract took longer than {PAGE_SECONDS:.0f} seconds") from error
        if done.returncode != 0:
            raise Unreadable(f"tesseract ended with {done.returncode}: {_last_line(done.stderr)}")
        return done.stdout.decode(errors="replace")


def reader(name: str, *, language: str) -> Reader:
    """The reader of this name; `auto` is tesseract if it is installed. Unreadable where it is not but is asked for."""
    command = shutil.which("tesseract")
    if name == "text-layer" or (name == "auto" and not command):
        return TextLayer()
    if not command:
        raise Unreadable("tesseract is not installed; install it, or take --reader text-layer")
    return Tesseract(command, language=language)


def version(command: str) -> str:
    """`tesseract 5.3.0`, as the command calls itself."""
    said = subprocess.run([command, "--version"], capture_output=True, text=True)
    return (said.stdout or said.stderr).partition("\n")[0].strip()


def page_count(path: Path) -> int:
    """How many pages a PDF has; Unreadable where it is none."""
    with opened(path) as document:
        return len(document)


def texts(path: Path, *, first: int, last: int, reader: Reader) -> Iterator[tuple[int, str]]:
    """The number and the text of each page from `first` to `last`, beginning with 1; Unreadable names the page."""
    with opened(path) as document:
        for number in range(first, last + 1):
            try:
                yield number, _text(document, number, reader=reader)
            except (Unreadable, pypdfium2.PdfiumError) as error:
                raise Unreadable(f"page {number} cannot be read: {_sentence(error)}") from error


def picture(page: pypdfium2.PdfPage) -> bytes:
    """The page in shades of grey, as a PGM file."""
    with closing(page.render(scale=DPI / POINTS_AN_INCH, grayscale=True)) as bitmap:
        rows = memoryview(bytes(bitmap.buffer))
        starts = range(0, bitmap.stride * bitmap.height, bitmap.stride)
        body = b"".join(rows[start : start + bitmap.width] for start in starts)
        return b"P5 %d %d 255\n%s" % (bitmap.width, bitmap.height, body)


@contextmanager
def opened(path: Path) -> Iterator[pypdfium2.PdfDocument]:
    """The PDF of this file; Unreadable where it cannot be opened."""
    try:
        with path.open("rb"):  # says better than PDFium why a file cannot be opened
            document = pypdfium2.PdfDocument(path)
    except (OSError, pypdfium2.PdfiumError) as error:
        raise Unreadable(f"{path.name} cannot be opened: {_sentence(error)}") from error
    with closing(document):
        yield document


def _text(document: pypdfium2.PdfDocument, number: int, *, reader: Reader) -> str:
    """The text of one page, its lines without what only moved the head of a printer."""
    with closing(document[number - 1]) as page:
        lines = reader.text(page).replace("\f", "").splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()


def _sentence(error: Exception) -> str:
    """What an error says, without the full stop of another sentence's end."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.rstrip(".")


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
