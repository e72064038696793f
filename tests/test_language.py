"""The language of the project: docstrings begin plainly, and sentences avoid the words that readers stumbled over."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLACES = (
    "jobs",
    "ocr_chunks",
    "training",
    "progress_site",
    "client",
    "examples",
    "benchmarks",
    "tests",
    "templates",
    "docs",
    "scripts",
)
# A docstring names a thing or begins with a verb: "Return whether …".
FIRST_WORDS = {"what", "who", "how", "where", "that", "whoever", "whatever", "nobody", "somebody", "tell"}
# Words of an older private style, and what to write instead.
AVOIDED = {
    r"\bin (?:your|its|their|the account's) sight\b": "visible to",
    r"\bout of (?:your |its )?sight\b": "not visible",
    r"\bbegin(?:s|ning)? anew\b|\bbegan anew\b": "restart",
    r"\bthis is no\b": "Enter a valid …",
    r"\bnobody\b|\bsomebody\b": "name the person, worker or process",
    r"\btold to others\b|\bnot told\b|\btold of\b|\btells others\b": "sent to subscribers, unknown, events",
    r"\bwears? the clothes\b|\bin (?:our|the) clothes\b": "has the styles of",
}


def documents(place: str) -> list[Path]:
    """Return every text of a top-level folder with sentences for people."""
    found = sorted((ROOT / place).rglob("*"))
    kinds = (".py", ".html", ".md", ".js")
    return [path for path in found if path.suffix in kinds and not {"migrations", "node_modules"} & set(path.parts)]


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each docstring of a module with its line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file by line: of Python its strings and comments, of others every line."""
    source = path.read_text()
    if path.suffix != ".py":
        yield from enumerate(source.splitlines(), start=1)
        return
    kinds = (tokenize.STRING, tokenize.COMMENT)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in kinds:
            yield from enumerate(token.string.splitlines(), start=token.start[0])


@pytest.mark.parametrize("place", PLACES)
def test_a_docstring_begins_with_a_noun_or_a_verb(place: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {text.splitlines()[0]}"
        for path in documents(place)
        if path.suffix == ".py"
        for line, text in docstrings(path)
        if re.split(r"\W", text, maxsplit=1)[0].lower() in FIRST_WORDS
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", PLACES)
def test_sentences_use_the_words_of_the_field(place: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {text.strip()[:100]} ({instead})"
        for path in documents(place)
        if path != Path(__file__)
        for line, text in sentences(path)
        for avoided, instead in AVOIDED.items()
        if re.search(avoided, text, flags=re.IGNORECASE)
    ]
    assert not found, "\n".join(found)
