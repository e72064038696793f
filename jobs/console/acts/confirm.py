"""The page that asks before an act, and the act upon one job; several are `confirming_many`.

What an address may ask for is written down in `jobs.console.acts.selection`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from jobs.console.acts.act_request import ConfirmationRequest, scope_in
from jobs.console.acts.confirm_many import act_on_many, ask_about_many
from jobs.console.acts.selection import selected
from jobs.console.acts.signed_selection import SignedSelection, load_selection, sign_selection
from jobs.console.base import forbidden_page, not_found_page, render_page, visible_jobs
from jobs.console.forms import ActForm
from jobs.console.job_rows import Row, rows_of
from jobs.models import Job
from jobs.operations import Act
from jobs.operations.base import Confirmation, Operation
from jobs.operations.bulk import ExpectedState, StateChanged, execute, expected_state
from jobs.operations.confirmation_text import confirmation
from jobs.operations.registry import ACTS
from jobs.operations.registry import forbidden as lacking
from jobs.operations.snapshot import snapshot_of
from jobs.rules.errors import Refused
from jobs.rules.formatting import format_number

CHANGED = "{} has changed since you looked. These are the figures of now; look again and confirm."
STALE = "This answers no page that was shown to you lately. These are the figures of now; look again and confirm."


@dataclass(frozen=True, slots=True)
class Target:
    """The job of the act: what would happen to it, and its look."""

    job: Job
    preview: Confirmation
    row: Row


def confirm_one(request: HttpRequest, site: AdminSite, job_id: int, slug: str) -> HttpResponse:
    """Ask, and on a confirmed form do it."""
    return _confirm(request, site, ACTS[slug], job_id=job_id)


def confirm_many(request: HttpRequest, site: AdminSite, slug: str) -> HttpResponse:
    """The same for what is ticked in a list, or for all that it matches."""
    return _confirm(request, site, ACTS[slug])


def _confirm(request: HttpRequest, site: AdminSite, act: Operation, *, job_id: int | None = None) -> HttpResponse:
    visible = visible_jobs(request)
    if visible is None:
        return forbidden_page(request, site, "To see jobs an account needs the permission jobs.view_job (role viewer).")
    confirmed = request.method == "POST" and "look" not in request.POST
    if confirmed and (lacks := lacking(act, request.user)):
        return forbidden_page(request, site, lacks)
    shown = load_selection(request, act, job_id=job_id) if confirmed else None
    found = shown.chosen(visible) if shown else selected(request, site, visible, job_id=job_id)
    if found is None or not found.jobs:
        return not_found_page(request, site, "There is no such job in your sight.")
    asked = ConfirmationRequest(request, site, act, scope_in(request), found, shown)
    several = len(found.jobs) > 1
    if not confirmed:
        return ask_about_many(asked) if several else _ask(asked)
    if shown is None:
        messages.warning(request, STALE if several else CHANGED.format(found.jobs[0].name))
        return ask_about_many(asked) if several else _ask(asked)
    return act_on_many(asked) if several else _act(asked, shown)


# --- one job -----------------------------------------------------------------------------------------


def _ask(asked: ConfirmationRequest, *, form: ActForm | None = None, again: bool = False) -> HttpResponse:
    [job] = asked.jobs
    figures = snapshot_of(job)
    told = confirmation(asked.act, figures, asked.user, asked.scope_of(job))
    shown = SignedSelection(asked.chosen.words, {job.pk: expected_state(figures)}, asked.chosen.items, again=again)
    context = {
        "title": f"{asked.act.label}: {job.name}",
        "act": asked.act,
        "chosen": asked.chosen,
        "single": Target(job, told, rows_of([job], now=figures.now)[job.pk]),
        "possible": not told.why_not,
        "form": form or asked.form([figures]),
        "shown": sign_selection(shown, asked.act, asked.user),
        "back": asked.back,
        "button": asked.act.confirm_label(told.changes),
        "narrow": bool(asked.act.form_fields),
    }
    return render_page(asked.request, asked.site, "jobs/confirm.html", context)


def _act(asked: ConfirmationRequest, shown: SignedSelection) -> HttpResponse:
    [job] = asked.jobs
    form = asked.form([snapshot_of(job)])
    if not form.is_valid():
        return _ask(asked, form=form, again=shown.again)
    seen = shown.jobs[job.pk]
    every_change_counts = asked.act.grave and not shown.again
    try:
        act = execute(
            asked.order(asked.scope_of(job), form.cleaned_data),
            job.pk,
            expected=seen if every_change_counts else ExpectedState(seen.states),
            actor=asked.user,
        )
    except StateChanged:
        messages.warning(asked.request, CHANGED.format(job.name))
        job.refresh_from_db()
        return _ask(asked, form=form, again=True)
    except Refused as error:
        messages.error(asked.request, f"{job.name}: {error.detail}")
    else:
        level = messages.SUCCESS if act.changed else messages.WARNING
        messages.add_message(asked.request, level, f"{job.name}: {outcome(asked.act, act)}")
    return HttpResponseRedirect(asked.back)


def outcome(spec: Operation, act: Act) -> str:
    """Say what was done and what was refused: `12 retried, 1 refused: is processing …`."""
    refused = Counter(refusal.detail.rstrip(".") for refusal in act.refused)
    refusals = "".join(f", {format_number(count)} refused: {why}" for why, count in refused.items())
    return f"{spec.outcome_text(act)}{refusals}."
