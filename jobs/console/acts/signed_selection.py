"""The selection that a confirmation page has shown: the jobs in their state, and the selected items.

It is signed and compressed: thousands of items travel with the page and come back unchanged. So the act changes exactly
what the operator confirmed, whatever the list matches by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest

from jobs.console.acts.selection import Selection
from jobs.console.confirm_view import load_state, sign_state
from jobs.models.jobs import JobQuerySet
from jobs.operations.bulk import ExpectedState


@dataclass(frozen=True, slots=True)
class SignedSelection:
    """The jobs and items of a confirmation.

    A running job gets a new revision with every report. So a grave act compares the revisions once. After the page
    was shown again with the new numbers (`again`), only a changed state stops the act.
    """

    words: str
    jobs: Mapping[int, ExpectedState]
    items: Mapping[int, tuple[int, ...]] | None = None
    again: bool = False

    def selection(self, visible: JobQuerySet) -> Selection:
        """Return the selection, without jobs that are deleted or no longer visible."""
        jobs = list(visible.filter(pk__in=list(self.jobs)).order_by("-pk"))
        return Selection(self.words, jobs, self.items)


def sign_selection(shown: SignedSelection, request: HttpRequest) -> str:
    """Return the text that travels with the page."""
    body = {
        "words": shown.words,
        "again": shown.again,
        "jobs": [[pk, expected.states, expected.revision] for pk, expected in shown.jobs.items()],
        "items": None if shown.items is None else [[pk, *_differences(ids)] for pk, ids in shown.items.items()],
    }
    return sign_state(request, body)


def load_selection(request: HttpRequest) -> SignedSelection | None:
    """Return the selection that came back with the form; None where this page was not shown to this account."""
    body = load_state(request)
    if body is None:
        return None
    jobs = {pk: ExpectedState(states, revision) for pk, states, revision in body["jobs"]}
    items = None if body["items"] is None else {pk: _sums(differences) for pk, *differences in body["items"]}
    return SignedSelection(body["words"], jobs, items, again=body["again"])


def _differences(ids: tuple[int, ...]) -> list[int]:
    """Return the differences between neighbours: they are small and alike, and so compress well."""
    return [after - before for before, after in zip((0, *ids), ids, strict=False)]


def _sums(differences: list[int]) -> tuple[int, ...]:
    total, ids = 0, []
    for difference in differences:
        total += difference
        ids.append(total)
    return tuple(ids)
