"""The glossary page, and the way to the API documentation and back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from jobs.console.glossary.terms import terms

DOCS = Path(__file__).parents[3] / "docs" / "glossary.md"
HEADER = re.compile(r"word|term|-+", re.IGNORECASE)


def test_every_term_is_explained_once_and_can_be_linked_to(browser: Any) -> None:
    page = browser("viewer").open("/admin/glossary/")
    shown = {term.text: term.attributes["id"] for term in page.root.find("dt") if "id" in term.attributes}
    assert list(shown) == [term for term, _ in terms()]
    assert len(set(shown.values())) == len(shown)
    assert all(meaning in page.text for _, meaning in terms())


def test_the_footer_of_a_page_leads_to_it(browser: Any) -> None:
    assert browser("viewer").open("/admin/").links()["Glossary"] == "/admin/glossary/"


def test_an_account_that_is_not_signed_in_is_asked_to(client: Any, db: None) -> None:
    assert client.get("/admin/glossary/").headers["Location"].startswith("/admin/login/")


@pytest.mark.skipif(not DOCS.exists(), reason="There is no docs/glossary.md.")
def test_it_has_every_word_of_the_glossary_in_the_docs() -> None:
    cells = [line.split("|")[1].strip() for line in DOCS.read_text().splitlines() if line.startswith("|")]
    words = {word for cell in cells if not HEADER.fullmatch(cell) for word in cell.split(", ")}
    assert words <= {word for term, _ in terms() for word in term.split(", ")}


def test_the_navigation_leads_to_the_api_documentation_and_that_back(browser: Any) -> None:
    viewer = browser("viewer")
    assert viewer.open("/admin/").links()["API"] == "/api/v1/docs"
    assert viewer.open("/api/v1/docs").links()["Console"] == "/admin/"
