"""The confirmation page of an act on several jobs, and the start of the bulk act.

The confirmed selection is fixed: the jobs in the state that the page showed, and of them the selected items. A short
bulk act finishes within the request. The watchdog continues a long one, whose page shows its progress. A job in
another state than the page showed is refused, and the act continues with the next job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html

from jobs.console import status_styles
from jobs.console.acts.forms import ActForm
from jobs.console.acts.selection import MOST_ITEMS, MOST_JOBS
from jobs.console.base import forbidden_page
from jobs.console.bulk.summary_text import amount, headline, left_alone, names_of
from jobs.console.job_rows import JobRow, rows_of
from jobs.models import BulkAct, Job
from jobs.operations import bulk
from jobs.operations.base import Confirmation, Lines
from jobs.operations.bulk import TargetSelection, expected_state
from jobs.operations.confirmation_text import confirmation
from jobs.operations.estimate import ActEstimate, estimates
from jobs.rules.errors import NotPermitted
from jobs.rules.formatting import format_number, pluralize

if TYPE_CHECKING:
    from jobs.console.acts.confirm import ActView

SAMPLES = 10
SAMPLES_REFUSED = 5
MOST_NAMED = 3
# A request runs a bulk act for so long; the watchdog does the rest.
REQUEST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason for leaving jobs unchanged: how many jobs, and a few of their names."""

    why: str
    count: int
    names: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One job in full: its row, its confirmation text, and the lines that differ from the other jobs."""

    job: Job
    row: JobRow
    preview: Confirmation
    lines: Lines


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers over all jobs.

    `changes` names the amount that would change, `items` counts the selected items (None: whole jobs), `common` has the
    lines that are the same for every sample.
    """

    total: int
    possible: int
    changes: str
    items: int | None
    reasons: list[Reason]
    statuses: list[tuple[status_styles.StatusStyle, int]]
    common: Lines
    samples: list[Sample]

    @property
    def more(self) -> int:
        """The number of jobs that are not among the samples."""
        return self.total - len(self.samples)


def context(view: ActView) -> dict[str, Any]:
    """Describe the act on all selected jobs, with a constant number of queries."""
    found = estimates(view.act, view.jobs, view.user, view.scope, view.chosen.items)
    summary = _summary(view, found)
    return {
        "title": f"{view.act.label} {format_number(len(view.jobs))} jobs",
        "summary": summary,
        "possible": summary.possible,
        "most_jobs": MOST_JOBS,
        "most_items": MOST_ITEMS,
        "shown": view.sign({each.job.pk: expected_state(each.snapshot) for each in found}),
        "button": f"{view.act.label} {pluralize(summary.possible, 'job')}",
    }


def _summary(view: ActView, found: list[ActEstimate]) -> Summary:
    possible = [each for each in found if not each.why_not]
    refused = [each for each in found if each.why_not]
    states = Counter(status_styles.style_of(each.job) for each in found)
    items = view.chosen.items
    shown = [*possible[:SAMPLES], *refused[:SAMPLES_REFUSED]]
    described = [confirmation(view.act, each.snapshot, view.user, view.scope_of(each.job)) for each in shown]
    common = _common([each for each in described if not each.why_not])
    return Summary(
        total=len(found),
        possible=len(possible),
        changes=amount(view.act, sum(each.changes for each in possible)),
        items=None if items is None else sum(map(len, items.values())),
        reasons=_reasons(refused),
        statuses=sorted(states.items(), key=lambda state: (-state[1], state[0].label)),
        common=common,
        samples=_samples([each.job for each in shown], described, common),
    )


def _reasons(refused: Iterable[ActEstimate]) -> list[Reason]:
    names: dict[str, list[str]] = {}
    for each in refused:
        names.setdefault(each.why_not, []).append(each.job.name)
    by_count = sorted(names.items(), key=lambda pair: -len(pair[1]))
    return [Reason(why, len(jobs), names_of(jobs, most=MOST_NAMED)) for why, jobs in by_count]


def _common(described: list[Confirmation]) -> Lines:
    """Return the lines that are the same for all jobs. The line "Now" differs for each job."""
    alike = [line for line in described[0].lines if all(line in each.lines for each in described)] if described else []
    return [(heading, sentences) for heading, sentences in alike if heading != "Now"]


def _samples(jobs: Sequence[Job], described: list[Confirmation], common: Lines) -> list[Sample]:
    rows = rows_of(jobs, now=timezone.now())
    return [
        Sample(job, rows[job.pk], each, [line for line in each.lines if line[0] != "Now" and line not in common])
        for job, each in zip(jobs, described, strict=True)
    ]


def start(view: ActView, form: ActForm) -> HttpResponse:
    """Create the bulk act and run it as long as a request may take."""
    assert view.shown is not None
    request = view.act_request(view.scope, form.cleaned_data)
    targets = [TargetSelection(job, view.shown.jobs[job.pk].states, view.chosen.of(job)) for job in view.jobs]
    try:
        created = bulk.create_bulk_act(request, targets, actor=view.user, words=view.chosen.words, back=view.back)
    except NotPermitted as error:
        return forbidden_page(view.request, view.site, error.detail)
    return _run(view, created)


def _run(view: ActView, created: BulkAct) -> HttpResponse:
    """Go back with the result, or to the page of the bulk act where it takes longer."""
    # The act is stored: where the database is busy now, the watchdog goes on with it.
    with suppress(OperationalError, InterfaceError):
        bulk.run_bulk_act(created, seconds=REQUEST_SECONDS)
    if created.is_running:
        return HttpResponseRedirect(created.get_absolute_url())
    level = messages.SUCCESS if created.done else messages.WARNING
    link = format_html(' <a href="{}">Show the result of each job</a>', created.get_absolute_url())
    messages.add_message(view.request, level, format_html("{}{}", headline(created), link))
    for sentence in left_alone(created):
        messages.warning(view.request, sentence)
    return view.go_back()
