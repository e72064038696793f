"""What a page has shown before an act, as it comes back with the answer: the jobs as they were, and their items.

It is signed for one account and one act, and compressed: thousands of items go with a page and come back unchanged,
so that what is done is what was confirmed, whatever the list matches by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.core import signing
from django.http import HttpRequest

from jobs.console.acts.selection import Selection
from jobs.models.jobs import JobQuerySet
from jobs.operations.base import Operation
from jobs.operations.bulk import ExpectedState

FIELD = "shown"
SALT = "jobs.shown"
VALID_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class SignedSelection:
    """The set of a confirmation.

    A job that works has a new revision with every report. So a grave act looks at the revisions once; when the page
    has been shown again with the new figures (`again`) only another state holds it up.
    """

    words: str
    jobs: Mapping[int, ExpectedState]
    items: Mapping[int, tuple[int, ...]] | None = None
    again: bool = False

    def chosen(self, visible: JobQuerySet) -> Selection:
        """The jobs that are still there and in sight."""
        jobs = list(visible.filter(pk__in=list(self.jobs)).order_by("-pk"))
        return Selection(self.words, jobs, self.items)


def sign_selection(shown: SignedSelection, act: Operation, user: User | AnonymousUser) -> str:
    """The text that goes with the page."""
    body = {
        "for": [user.pk, act.name],
        "words": shown.words,
        "again": shown.again,
        "jobs": [[pk, seen.states, seen.revision] for pk, seen in shown.jobs.items()],
        "items": None if shown.items is None else [[pk, *_steps(ids)] for pk, ids in shown.items.items()],
    }
    return signing.dumps(body, salt=SALT, compress=True)


def load_selection(request: HttpRequest, act: Operation, *, job_id: int | None = None) -> SignedSelection | None:
    """What came back; None where no page has shown it to this account for this act, or too long ago."""
    try:
        body = signing.loads(request.POST.get(FIELD, ""), salt=SALT, max_age=VALID_SECONDS)
    except signing.BadSignature:
        return None
    jobs = {pk: ExpectedState(states, revision) for pk, states, revision in body["jobs"]}
    if body["for"] != [request.user.pk, act.name] or (job_id is not None and list(jobs) != [job_id]):
        return None
    items = None if body["items"] is None else {pk: _sums(steps) for pk, *steps in body["items"]}
    return SignedSelection(body["words"], jobs, items, again=body["again"])


def _steps(ids: tuple[int, ...]) -> list[int]:
    """Ids as the differences between neighbours, which are small and alike, and so compress well."""
    return [after - before for before, after in zip((0, *ids), ids, strict=False)]


def _sums(steps: list[int]) -> tuple[int, ...]:
    total, ids = 0, []
    for step in steps:
        total += step
        ids.append(total)
    return tuple(ids)
