"""Text of PDF pages: by tesseract if it is installed, else from the text layer of the PDF."""

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
    """A file or a page cannot be read; the message says which and why."""


class Reader(Protocol):
    """Interface of a text reader."""

    name: str

    def text(self, page: pypdfium2.PdfPage) -> str:
        """Read the text of a page. Unreadable if that fails."""


class TextLayer:
    """Reader of the text layer of the PDF; a scanned page has none."""

    name = "text layer"

    def text(self, page: pypdfium2.PdfPage) -> str:
        """Return the text layer of a page, empty if it has none."""
        with closing(page.get_textpage()) as layer:
            return str(layer.get_text_bounded())


class Tesseract:
    """Reader by the command `tesseract`, from a picture of the page."""

    def __init__(self, command: str, *, language: str = "eng") -> None:
        self._command = [command, "stdin", "stdout", "-l", language, "--dpi", str(DPI)]
        self.name = version(command)

    def text(self, page: pypdfium2.PdfPage) -> str:
        """Read the text of a page with tesseract."""
        try:
            # One thread, because several workers share the machine. A new session, so that a signal to this worker
            # does not end tesseract in the middle of a page.
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
    """Create a reader by name; `auto` is tesseract if it is installed. Unreadable if tesseract is missing."""
    command = shutil.which("tesseract")
    if name == "text-layer" or (name == "auto" and not command):
        return TextLayer()
    if not command:
        raise Unreadable("tesseract is not installed; install it, or use --reader text-layer")
    return Tesseract(command, language=language)


def version(command: str) -> str:
    """Return the version that the command prints: `tesseract 5.3.0`."""
    said = subprocess.run([command, "--version"], capture_output=True, text=True)
    return (said.stdout or said.stderr).partition("\n")[0].strip()


def page_count(path: Path) -> int:
    """Count the pages of a PDF. Unreadable if it is not a PDF."""
    with opened(path) as document:
        return len(document)


def texts(path: Path, *, first: int, last: int, reader: Reader) -> Iterator[tuple[int, str]]:
    """Yield number and text of the pages `first` to `last`, counted from 1. Unreadable names the page."""
    with opened(path) as document:
        for number in range(first, last + 1):
            try:
                yield number, _text(document, number, reader=reader)
            except (Unreadable, pypdfium2.PdfiumError) as error:
                raise Unreadable(f"page {number} cannot be read: {_sentence(error)}") from error


def picture(page: pypdfium2.PdfPage) -> bytes:
    """Render a page as a grey PGM file."""
    with closing(page.render(scale=DPI / POINTS_AN_INCH, grayscale=True)) as bitmap:
        rows = memoryview(bytes(bitmap.buffer))
        starts = range(0, bitmap.stride * bitmap.height, bitmap.stride)
        body = b"".join(rows[start : start + bitmap.width] for start in starts)
        return b"P5 %d %d 255\n%s" % (bitmap.width, bitmap.height, body)


@contextmanager
def opened(path: Path) -> Iterator[pypdfium2.PdfDocument]:
    """Open a PDF. Unreadable if that fails."""
    try:
        with path.open("rb"):  # its error is clearer than the one of PDFium
            document = pypdfium2.PdfDocument(path)
    except (OSError, pypdfium2.PdfiumError) as error:
        raise Unreadable(f"{path.name} cannot be opened: {_sentence(error)}") from error
    with closing(document):
        yield document


def _text(document: pypdfium2.PdfDocument, number: int, *, reader: Reader) -> str:
    """Read one page, without form feeds and trailing white space."""
    with closing(document[number - 1]) as page:
        lines = reader.text(page).replace("\f", "").splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()


def _sentence(error: Exception) -> str:
    """Return the text of an error without a full stop, for use inside a sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.rstrip(".")


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"
