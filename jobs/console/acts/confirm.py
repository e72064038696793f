"""The page that asks before an act, and the act upon one job; several are `confirming_many`.

What an address may ask for is written down in `jobs.console.acts.selection`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from jobs.operations.bulk import Changed, Seen, do, seen_of
from jobs.rules.errors import Refused
from jobs.console.forms import ActForm
from jobs.models import Job
from jobs.operations import Act
from jobs.operations.previews import ACTS, ActSpec, Preview, figures_of, preview
from jobs.operations.previews.acts import forbidden as lacking
from jobs.console.acts.act_request import Asked, scope_in
from jobs.console.acts.selection import chosen
from jobs.console.acts.confirm_many import act_on_many, ask_about_many
from jobs.console.base import forbidden, jobs_of, missing, page
from jobs.console.job_rows import Row, rows_of
from jobs.console.acts.signed_selection import Shown, shown_of, sign
from jobs.rules.formatting import number, things

CHANGED = "{} has changed since you looked. These are the figures of now; look again and confirm."
STALE = "This answers no page that was shown to you lately. These are the figures of now; look again and confirm."


@dataclass(frozen=True, slots=True)
class Target:
    """The job of the act: what would happen to it, and its look."""

    preview: Preview
    row: Row

    @property
    def job(self) -> Job:
        """The job itself."""
        return self.preview.figures.job


def confirm_one(request: HttpRequest, site: AdminSite, job_id: str, slug: str) -> HttpResponse:
    """Ask, and on a confirmed form do it."""
    return _confirm(request, site, ACTS[slug], job_id=int(job_id))


def confirm_many(request: HttpRequest, site: AdminSite, slug: str) -> HttpResponse:
    """The same for what is ticked in a list, or for all that it matches."""
    return _confirm(request, site, ACTS[slug])


def _confirm(request: HttpRequest, site: AdminSite, act: ActSpec, *, job_id: int | None = None) -> HttpResponse:
    visible = jobs_of(request)
    if visible is None:
        return forbidden(request, site, "To see jobs an account needs the permission jobs.view_job (role viewer).")
    confirmed = request.method == "POST" and "look" not in request.POST
    if confirmed and (lacks := lacking(act, request.user)):
        return forbidden(request, site, lacks)
    shown = shown_of(request, act, job_id=job_id) if confirmed else None
    found = shown.chosen(visible) if shown else chosen(request, site, visible, job_id=job_id)
    if found is None or not found.jobs:
        return missing(request, site, "There is no such job in your sight.")
    asked = Asked(request, site, act, scope_in(request), found, shown)
    several = len(found.jobs) > 1
    if not confirmed:
        return ask_about_many(asked) if several else _ask(asked)
    if shown is None:
        messages.warning(request, STALE if several else CHANGED.format(found.jobs[0].name))
        return ask_about_many(asked) if several else _ask(asked)
    return act_on_many(asked) if several else _act(asked, shown)


# --- one job -----------------------------------------------------------------------------------------


def _ask(asked: Asked, *, form: ActForm | None = None, again: bool = False) -> HttpResponse:
    [job] = asked.jobs
    figures = figures_of(job)
    told = preview(asked.act.slug, figures, asked.user, asked.scope_of(job))
    shown = Shown(asked.chosen.words, {job.pk: seen_of(figures)}, asked.chosen.items, again=again)
    context = {
        "title": f"{asked.act.title}: {job.name}",
        "act": asked.act,
        "chosen": asked.chosen,
        "single": Target(told, rows_of([job], now=figures.now)[job.pk]),
        "possible": not told.why_not,
        "form": form or asked.form([figures]),
        "shown": sign(shown, asked.act, asked.user),
        "back": asked.back,
        "button": _button(asked.act, told),
        "narrow": asked.act.slug in ("threshold", "restart"),
    }
    return page(asked.request, asked.site, "jobs/confirm.html", context)


def _button(act: ActSpec, told: Preview) -> str:
    if act.slug in ("retry", "release", "skip"):
        return f"{act.title} {things(told.changes, 'item')}"
    return f"{act.title} {'' if act.slug == 'threshold' else 'job'}".strip()


def _act(asked: Asked, shown: Shown) -> HttpResponse:
    [job] = asked.jobs
    form = asked.form([figures_of(job)])
    if not form.is_valid():
        return _ask(asked, form=form, again=shown.again)
    seen = shown.jobs[job.pk]
    every_change_counts = asked.act.grave and not shown.again
    try:
        act = do(
            asked.order(asked.scope_of(job), form.cleaned_data),
            job.pk,
            seen=seen if every_change_counts else Seen(seen.states),
            actor=asked.user,
        )
    except Changed:
        messages.warning(asked.request, CHANGED.format(job.name))
        job.refresh_from_db()
        return _ask(asked, form=form, again=True)
    except Refused as error:
        messages.error(asked.request, f"{job.name}: {error.detail}")
    else:
        level = messages.SUCCESS if act.changed else messages.WARNING
        messages.add_message(asked.request, level, f"{job.name}: {outcome(asked.act, act)}")
    return HttpResponseRedirect(asked.back)


_CHANGED: dict[str, Callable[[int], str]] = {
    "retry": lambda changed: f"{number(changed)} retried",
    "release": lambda changed: f"{number(changed)} released",
    "skip": lambda changed: f"{number(changed)} skipped",
    "restart": lambda changed: f"{things(changed, 'item')} pending again",
    "force-complete": lambda changed: f"{things(changed, 'phase')} force-completed",
}


def outcome(spec: ActSpec, act: Act) -> str:
    """`12 retried, 1 refused: is processing …`."""
    said = _CHANGED[spec.slug](act.changed) if spec.slug in _CHANGED and act.changed else act.detail.rstrip(".")
    refused = Counter(refusal.detail.rstrip(".") for refusal in act.refused)
    return f"{said}{''.join(f', {number(count)} refused: {why}' for why, count in refused.items())}."
