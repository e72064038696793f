"""Generator of a long contract for the OCR worker: `make_pdf.py FILE.pdf [--pages 84] [--break PAGE]`.

The same number of pages writes the same file. With --break the object of one page is overwritten, as by a bad disk:
that page cannot be read, every other page can. `make_pdf.py FILE.pdf --mend` repairs the file.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from random import Random

PAGES = 84
MOST_PAGES = 5000
LINES = 34
COLUMNS = 78
PARTIES = ("carrier", "customer", "warehouse", "insurer", "agent", "surveyor")
THINGS = ("bill of lading", "cargo list", "certificate of origin", "delivery note", "inspection report", "invoice")
SENTENCES = (
    "The {party} hands the {thing} to the {other} within {days} days of the day on which the goods are taken over.",
    "If the {thing} is incomplete, the {other} says so in writing, and the {party} amends it within {days} days.",
    "For each day of delay the {party} owes {amount} euros to the {other}, but never more than the price of the goods.",
    "The {party} keeps a copy of the {thing} for {days} months and shows it to the {other} when asked.",
    "Damage that the {other} could not have seen at delivery is told to the {party} no later than day {days}.",
    "Where the {thing} and this contract differ, this contract counts, unless the {party} and the {other} agree.",
    "The {other} pays {amount} euros for the {thing}; the sum is due {days} days after the invoice of the {party}.",
)
HEADER = b"%PDF-1.4\n"
FONTS = ("Helvetica", "Helvetica-Bold")
FIRST_PAGE = 5  # the objects before are the catalogue, the list of pages, and two fonts


def title(page: int) -> str:
    """Return the title of a page; the first page is 1."""
    return f"Article {page}"


def paragraphs(page: int) -> Iterator[str]:
    """Yield the paragraphs of a page, the same for the same page."""
    draws = Random(f"page {page}")
    for number in range(1, LINES):
        sentences = draws.sample(SENTENCES, 2)
        yield f"{page}.{number} " + " ".join(_filled(sentence, draws) for sentence in sentences)


def lines(page: int) -> list[str]:
    """Wrap the text of a page into lines, with an empty line between two paragraphs."""
    broken: list[str] = []
    for paragraph in paragraphs(page):
        block = [*textwrap.wrap(paragraph, COLUMNS), ""]
        if len(broken) + len(block) > LINES:
            break
        broken += block
    return broken


def pdf(pages: int, *, broken: int | None = None) -> bytes:
    """Build the file. If `broken` is a page, its object is overwritten and everything else is the same."""
    objects = [_catalogue(), _list_of_pages(pages), *map(_font, FONTS)]
    for page in range(1, pages + 1):
        objects += [_page(page), _content(page, pages=pages)]
    written = [b"%d 0 obj\n%s\nendobj\n" % (number, body) for number, body in enumerate(objects, 1)]
    if broken is not None:
        place = _number_of(broken) - 1
        written[place] = b"#" * (len(written[place]) - 1) + b"\n"
    return _file(written)


def mended(data: bytes) -> bytes:
    """Return the file without a broken page. ValueError if this script did not write it."""
    found = re.search(rb"/Type /Pages /Count (\d+)", data)
    if not found or not data.startswith(HEADER):
        raise ValueError("this file was not written by make_pdf.py")
    return pdf(int(found[1]))


def write(path: Path, data: bytes) -> None:
    """Write the file atomically, because a worker may be reading it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def _filled(sentence: str, draws: Random) -> str:
    party, other = draws.sample(PARTIES, 2)
    days, amount = draws.randrange(2, 60), draws.randrange(50, 5000, 50)
    return sentence.format(party=party, other=other, thing=draws.choice(THINGS), days=days, amount=amount)


# --- the objects of a PDF --------------------------------------------------------------------------


def _number_of(page: int) -> int:
    """Return the number of a page's object; its content has the next number."""
    return FIRST_PAGE + 2 * (page - 1)


def _catalogue() -> bytes:
    return b"<< /Type /Catalog /Pages 2 0 R >>"


def _list_of_pages(pages: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % _number_of(page) for page in range(1, pages + 1))
    return b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, kids)


def _font(name: str) -> bytes:
    return b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>" % name.encode()


def _page(page: int) -> bytes:
    fonts = b"<< /F1 3 0 R /F2 4 0 R >>"
    place = b"/Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R" % (_number_of(page) + 1)
    return b"<< /Type /Page %s /Resources << /Font %s >> >>" % (place, fonts)


def _content(page: int, *, pages: int) -> bytes:
    heading = b"BT /F2 18 Tf 72 770 Td (%s) Tj ET" % _text(title(page))
    body = b"\n".join(b"(%s) ' " % _text(line) for line in lines(page))
    footing = b"BT /F1 10 Tf 72 50 Td (%s) Tj ET" % _text(f"Page {page} of {pages}")
    drawing = b"%s\nBT /F1 12 Tf 19 TL 72 748 Td\n%s\nET\n%s" % (heading, body, footing)
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing)


def _text(line: str) -> bytes:
    return re.sub(rb"([\\()])", rb"\\\1", line.encode("cp1252"))


def _file(objects: list[bytes]) -> bytes:
    """Join the objects and add the table of their offsets."""
    places, end = [], len(HEADER)
    for written in objects:
        places.append(b"%010d 00000 n \n" % end)
        end += len(written)
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, b"".join(places))
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, end)
    return HEADER + b"".join(objects) + table + trailer


# --- the program -----------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description="Write a contract of many pages for the OCR worker.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--pages", type=int, default=PAGES, help=f"how many, 1-{MOST_PAGES} (default: {PAGES})")
    parser.add_argument("--break", type=int, dest="broken", metavar="PAGE", help="the page to damage")
    parser.add_argument("--mend", action="store_true", help="repair a file with a broken page")
    given = parser.parse_args()
    if not 1 <= given.pages <= MOST_PAGES:
        parser.error(f"--pages must be 1-{MOST_PAGES}")
    if given.broken is not None and not 1 <= given.broken <= given.pages:
        parser.error(f"--break must name one of the pages 1-{given.pages}")
    return given


def main() -> None:
    """Run the command."""
    given = options()
    try:
        data = mended(given.file.read_bytes()) if given.mend else pdf(given.pages, broken=given.broken)
        write(given.file, data)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{given.file}: {error}") from error
    sys.stdout.write(f"{'mended' if given.mend else 'written'}: {given.file}\n")


if __name__ == "__main__":
    main()
