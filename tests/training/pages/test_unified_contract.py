"""The page reads the same keys that the unified answer has, and shows all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.urls import reverse

from tests.jobs.api.contract import document
from tests.training.contract import KEYS, flat
from tests.training.pages.reading import address
from tests.training.pages.states import make_in

SECTIONS = ("head", "phases")
STATES = ("training", "faces", "clustering", "counted", "completed")


class Reading(dict[str, Any]):
    """An answer that notes which of its keys are read, and fails where one is read that it does not have."""

    def __init__(self, body: dict[str, Any], seen: set[str], place: str = "") -> None:
        nested = {key: Reading(value, seen, f"{place}{key}.") for key, value in body.items() if isinstance(value, dict)}
        super().__init__({**body, **nested})
        self.seen, self.place = seen, place

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if not isinstance(value, Reading):
            self.seen.add(f"{self.place}{key}")
        return value

    def __missing__(self, key: str) -> Any:
        raise AssertionError(f"The page reads {self.place}{key}, which the unified answer does not have.")


def read_by_page(page: Any) -> set[str]:
    """The keys that the templates of this page read."""
    context, seen = page.response.context_data, set[str]()
    body = Reading(context["unified"], seen)
    for section in SECTIONS:
        render_to_string(f"training/session/{section}.html", {**context, "unified": body})
    return seen


def described(schema: dict[str, Any], place: str = "") -> Iterator[str]:
    """The keys of an object in the OpenAPI document with what they lie in."""
    if "$ref" in schema:
        return (yield from described(document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]], place))
    for key, value in schema["properties"].items():
        if "$ref" in value or "properties" in value:
            yield from described(value, f"{place}{key}.")
        else:
            yield f"{place}{key}"


def test_the_page_shows_every_key_of_the_unified_answer_and_no_other(lead: Any) -> None:
    seen: set[str] = set()
    for state in STATES:
        seen |= read_by_page(lead.open(address(make_in(state))))
    assert seen == set(KEYS)


def test_a_key_that_the_answer_does_not_have_is_noticed(lead: Any) -> None:
    context = lead.open(address(make_in("training"))).response.context_data
    del context["unified"]["phases"]["training"]["progress"]["unique"]
    with pytest.raises(AssertionError, match=r"phases\.training\.progress\.unique"):
        render_to_string("training/session/phases.html", {**context, "unified": Reading(context["unified"], set())})


@pytest.mark.parametrize("state", STATES)
def test_what_the_page_shows_is_what_the_endpoint_answers(lead: Any, state: str) -> None:
    session = make_in(state)
    answer = lead.client.get(reverse("api-training-unified", args=[session.pk])).json()
    shown = lead.open(address(session)).response.context_data["unified"]
    assert set(flat(answer)) == set(flat(shown)) == set(KEYS)
    assert answer["overallProgress"]["percentage"] == shown["overallProgress"]["percentage"]
    assert [part["status"] for part in answer["phases"].values()] == [
        part["status"] for part in shown["phases"].values()
    ]


def test_the_document_of_the_api_describes_the_same_keys() -> None:
    path = "/api/v1/training/{session_id}/progress/unified"
    answers = document()["paths"][path]["get"]["responses"]
    assert set(described(answers["200"]["content"]["application/json"]["schema"])) == set(KEYS)
