"""The same page for several jobs: what is matched, what would be done and refused, and why; then the bulk act.

What was confirmed is fixed: the jobs as they were shown, and of them the chosen items. A small one is done at once; of
a long one the watchdog does the rest, and its page shows how far it is. A job in another state than it was shown in is
refused, and the others go on. Only for a grave act every change counts once more, as for a single job: were there new
revisions since the page, it is shown again with the figures of now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.contrib import messages
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html

from jobs.console import status_styles
from jobs.console.acts.act_request import ConfirmationRequest
from jobs.console.acts.selection import MOST_ITEMS, MOST_JOBS
from jobs.console.acts.signed_selection import SignedSelection, sign_selection
from jobs.console.base import forbidden_page, render_page
from jobs.console.bulk.summary_text import amount, headline, left_alone
from jobs.console.forms import ActForm
from jobs.console.job_rows import Row, rows_of
from jobs.models import BulkAct, Job
from jobs.operations import bulk
from jobs.operations.base import Confirmation, Lines
from jobs.operations.bulk import TargetSelection, expected_state
from jobs.operations.confirmation_text import confirmation
from jobs.operations.estimate import ActEstimate, estimates, snapshots_of
from jobs.rules.errors import NotPermitted
from jobs.rules.formatting import format_number, pluralize

SAMPLES = 10
SAMPLES_REFUSED = 5
MOST_NAMED = 3
PATIENCE_SECONDS = 2.0
CHANGED = "{} of these jobs changed since you looked. These are the figures of now; look again and confirm."


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an act leaves some of the jobs as they are, with a few of their names."""

    why: str
    count: int
    names: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One job in full: its look, what would happen to it, and of that what is its own."""

    job: Job
    row: Row
    preview: Confirmation
    lines: Lines


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures over all jobs. `changes` says what would be done, `items` how many items were chosen; `common` is
    what would happen to every sample alike."""

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
        """Jobs that are not among the samples."""
        return self.total - len(self.samples)


def ask_about_many(asked: ConfirmationRequest, *, form: ActForm | None = None, again: bool = False) -> HttpResponse:
    """The page that asks."""
    found = estimates(asked.act, asked.jobs, asked.user, asked.scope, asked.chosen.items)
    seen = {each.job.pk: expected_state(each.snapshot) for each in found}
    summary = _summary(asked, found)
    context = {
        "title": f"{asked.act.label} {format_number(len(asked.jobs))} jobs",
        "act": asked.act,
        "chosen": asked.chosen,
        "summary": summary,
        "possible": summary.possible,
        "most_jobs": MOST_JOBS,
        "most_items": MOST_ITEMS,
        "form": form or asked.form([each.snapshot for each in found]),
        "shown": sign_selection(
            SignedSelection(asked.chosen.words, seen, asked.chosen.items, again=again), asked.act, asked.user
        ),
        "back": asked.back,
        "button": f"{asked.act.label} {pluralize(summary.possible, 'job')}",
        "narrow": bool(asked.act.form_fields),
    }
    return render_page(asked.request, asked.site, "jobs/confirm.html", context)


def _summary(asked: ConfirmationRequest, found: list[ActEstimate]) -> Summary:
    possible = [each for each in found if not each.why_not]
    refused = [each for each in found if each.why_not]
    states = Counter(status_styles.style_of(each.job) for each in found)
    items = asked.chosen.items
    shown = [*possible[:SAMPLES], *refused[:SAMPLES_REFUSED]]
    described = [confirmation(asked.act, each.snapshot, asked.user, asked.scope_of(each.job)) for each in shown]
    common = _common([each for each in described if not each.why_not])
    return Summary(
        total=len(found),
        possible=len(possible),
        changes=amount(asked.act, sum(each.changes for each in possible)),
        items=None if items is None else sum(map(len, items.values())),
        reasons=_reasons(refused),
        statuses=sorted(states.items(), key=lambda state: (-state[1], state[0].word)),
        common=common,
        samples=_samples([each.job for each in shown], described, common),
    )


def _reasons(refused: Iterable[ActEstimate]) -> list[Reason]:
    names: dict[str, list[str]] = {}
    for each in refused:
        names.setdefault(each.why_not, []).append(each.job.name)
    return [Reason(why, len(jobs), _some(jobs)) for why, jobs in sorted(names.items(), key=lambda pair: -len(pair[1]))]


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {format_number(more)} more" if more > 0 else "")


def _common(described: list[Confirmation]) -> Lines:
    """Return the lines that are the same for all jobs; "Now" is each job's own."""
    alike = [line for line in described[0].lines if all(line in each.lines for each in described)] if described else []
    return [(what, said) for what, said in alike if what != "Now"]


def _samples(jobs: Sequence[Job], described: list[Confirmation], common: Lines) -> list[Sample]:
    rows = rows_of(jobs, now=timezone.now())
    return [
        Sample(job, rows[job.pk], each, [line for line in each.lines if line[0] != "Now" and line not in common])
        for job, each in zip(jobs, described, strict=True)
    ]


# --- doing -------------------------------------------------------------------------------------------


def act_on_many(asked: ConfirmationRequest) -> HttpResponse:
    """Begin the bulk act, go on with it as long as a request may take, and tell."""
    assert asked.shown is not None
    figures = snapshots_of(asked.jobs)
    form = asked.form(figures)
    if not form.is_valid():
        return ask_about_many(asked, form=form, again=asked.shown.again)
    moved = sum(asked.shown.jobs[f.job.pk].revision != f.job.revision for f in figures)
    if asked.act.grave and moved and not asked.shown.again:
        messages.warning(asked.request, CHANGED.format(pluralize(moved, "job")))
        return ask_about_many(asked, form=form, again=True)
    order = asked.order(asked.scope, form.cleaned_data)
    try:
        begun = bulk.create_bulk_act(order, _marks(asked), actor=asked.user, words=asked.chosen.words, back=asked.back)
    except NotPermitted as error:
        return forbidden_page(asked.request, asked.site, error.detail)
    return _go_on(asked, begun)


def _marks(asked: ConfirmationRequest) -> list[TargetSelection]:
    assert asked.shown is not None
    return [TargetSelection(job, asked.shown.jobs[job.pk].states, asked.chosen.of(job)) for job in asked.jobs]


def _go_on(asked: ConfirmationRequest, begun: BulkAct) -> HttpResponse:
    """Back to the list with what was done; where that takes longer, to the page that shows how far it is."""
    with suppress(OperationalError, InterfaceError):
        bulk.run_bulk_act(begun, seconds=PATIENCE_SECONDS)
    if begun.is_running:
        return HttpResponseRedirect(begun.get_absolute_url())
    level = messages.SUCCESS if begun.done else messages.WARNING
    link = format_html(' <a href="{}">What was done to which job</a>', begun.get_absolute_url())
    messages.add_message(asked.request, level, format_html("{}{}", headline(begun), link))
    for sentence in left_alone(begun):
        messages.warning(asked.request, sentence)
    return HttpResponseRedirect(asked.back)
