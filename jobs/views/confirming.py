"""The page that asks before an act, for one job or for several, and the act itself.

What an address may ask for is written down in `jobs.views.choosing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from jobs.errors import Refused
from jobs.forms import ActForm
from jobs.models import Job, Phase
from jobs.operations import Act
from jobs.previews import ACTS, ActSpec, Figures, Preview, Scope, figures_of, preview
from jobs.views.acting import Changed, Seen, perform, seen_of
from jobs.views.choosing import Chosen, chosen
from jobs.views.pages import asked_text, forbidden, jobs_of, missing, page, way_back
from jobs.views.rows import Row, rows_of
from jobs.words import number, things

MOST_TOLD = 10
CHANGED = "{} has changed since you looked. These are the figures of now; look again and confirm."


@dataclass(frozen=True, slots=True)
class Target:
    """One job of the act: what would happen to it, its look, and what the operator has seen of it."""

    preview: Preview
    row: Row
    seen: Seen

    @property
    def job(self) -> Job:
        """The job itself."""
        return self.preview.figures.job


@dataclass
class Asked:
    """One request: which act on which jobs, within which scope."""

    request: HttpRequest
    site: AdminSite
    act: ActSpec
    scope: Scope
    chosen: Chosen

    @property
    def jobs(self) -> list[Job]:
        """The chosen jobs."""
        return self.chosen.jobs

    def scope_of(self, job: Job) -> Scope:
        """The part of one job: of the chosen items only its own."""
        return replace(self.scope, items=self.chosen.of(job))

    @property
    def back(self) -> str:
        """Where one came from."""
        return way_back(self.request, otherwise=self.jobs[0].get_absolute_url() if len(self.jobs) == 1 else "")

    @property
    def phrase(self) -> str:
        """What must be typed to confirm; empty for most acts."""
        if len(self.jobs) > 1:
            return f"{len(self.jobs)} jobs" if self.act.slug in ("force-complete", "cancel") else ""
        return self.jobs[0].name if self.act.slug == "force-complete" else ""


def confirm_one(request: HttpRequest, site: AdminSite, job_id: str, slug: str) -> HttpResponse:
    """Ask, and on a confirmed form do it."""
    return _confirm(request, site, slug=slug, job_id=int(job_id))


def confirm_many(request: HttpRequest, site: AdminSite, slug: str) -> HttpResponse:
    """The same for what is ticked in a list, or for all that it matches."""
    return _confirm(request, site, slug=slug)


def _confirm(request: HttpRequest, site: AdminSite, *, slug: str, job_id: int | None = None) -> HttpResponse:
    visible = jobs_of(request)
    if visible is None:
        return forbidden(request, site, "To see jobs an account needs the permission jobs.view_job (role viewer).")
    found = chosen(request, site, visible, job_id=job_id)
    if found is None or not (found.jobs or found.too_many):
        return missing(request, site, "There is no such job in your sight.")
    if found.too_many:
        return page(request, site, "jobs/confirm/too_many.html", _refused(request, ACTS[slug], found))
    asked = Asked(request, site, ACTS[slug], _scope(request), found)
    return _act(asked) if request.method == "POST" and "look" not in request.POST else _ask(asked)


def _refused(request: HttpRequest, act: ActSpec, found: Chosen) -> dict[str, Any]:
    return {"title": f"{act.title}: too many at once", "chosen": found, "back": way_back(request)}


def _scope(request: HttpRequest) -> Scope:
    """The part of the job from the address; what the form has chosen comes before it."""
    query, form = request.GET, request.POST
    return Scope(
        phase=form.get("phase") or query.get("phase", ""),
        signature=asked_text(request, "signature"),
        all=query.get("all") == "1",
        only="failed" if (form.get("only") or query.get("only")) == "failed" else "all",
    )


# --- asking ----------------------------------------------------------------------------------------


def _ask(asked: Asked, *, form: ActForm | None = None, moved: bool = False) -> HttpResponse:
    figures = [figures_of(job) for job in asked.jobs]
    rows = rows_of(asked.jobs, now=figures[0].now)
    targets = [
        Target(
            preview(asked.act.slug, f, asked.request.user, asked.scope_of(f.job)),
            rows[f.job.pk],
            seen_of(f, moved=moved),
        )
        for f in figures
    ]
    context = {
        "title": _title(asked),
        "act": asked.act,
        "targets": targets,
        "possible": [target for target in targets if not target.preview.why_not],
        "single": targets[0] if len(targets) == 1 else None,
        "form": form or _form(asked, figures),
        "back": asked.back,
        "button": _button(asked, targets),
        "narrow": asked.act.slug in ("threshold", "restart"),
    }
    return page(asked.request, asked.site, "jobs/confirm.html", context)


def _form(asked: Asked, figures: list[Figures]) -> ActForm:
    phases = _phases(asked, figures)
    given = asked.request.POST
    initial = {"threshold": asked.request.GET.get("threshold", ""), **given.dict()}
    initial |= {"phase": asked.scope.phase, "only": asked.scope.only}
    data = given if given and "look" not in given else None
    return ActForm(data, act=asked.act, phrase=asked.phrase, phases=phases, initial=initial)


def _phases(asked: Asked, figures: list[Figures]) -> list[Phase]:
    """The phases that the form lets choose, by code over all jobs."""
    chosen = [phase for f in figures for phase in (f.judged if asked.act.slug == "threshold" else f.begun)]
    return list({phase.code: phase for phase in chosen}.values())


def _title(asked: Asked) -> str:
    if len(asked.jobs) > 1:
        return f"{asked.act.title} {len(asked.jobs)} jobs"
    return f"{asked.act.title}: {asked.jobs[0].name}"


def _button(asked: Asked, targets: list[Target]) -> str:
    possible = [target for target in targets if not target.preview.why_not]
    if len(targets) > 1:
        return f"{asked.act.title} {things(len(possible), 'job')}"
    if asked.act.slug in ("retry", "release", "skip"):
        return f"{asked.act.title} {things(targets[0].preview.changes, 'item')}"
    return f"{asked.act.title} {'' if asked.act.slug == 'threshold' else 'job'}".strip()


# --- doing -----------------------------------------------------------------------------------------


def _act(asked: Asked) -> HttpResponse:
    form = _form(asked, [figures_of(job) for job in asked.jobs])
    if not form.is_valid():
        return _ask(asked, form=form)
    results: list[Act] = []
    refused: list[str] = []
    for job in asked.jobs:
        try:
            results.append(perform(asked, job, form.cleaned_data))
        except Changed:
            _tell(asked, results, refused)
            messages.warning(asked.request, CHANGED.format(job.name))
            return _ask(asked, form=form, moved=True)
        except Refused as error:
            refused.append(f"{job.name}: {error.detail}")
    _tell(asked, results, refused)
    return HttpResponseRedirect(asked.back)


def _tell(asked: Asked, results: list[Act], refused: list[str]) -> None:
    """The flash messages: what happened, and what was refused and why."""
    if len(asked.jobs) > 1:
        done = sum(1 for act in results if act.changed)
        messages.info(
            asked.request, f"{things(done, 'job')} {asked.act.past}, {len(asked.jobs) - done} left as they were."
        )
    for act in results[:MOST_TOLD]:
        level = messages.SUCCESS if act.changed else messages.WARNING
        messages.add_message(asked.request, level, f"{act.job.name}: {outcome(asked.act, act)}")
    for sentence in refused[:MOST_TOLD]:
        messages.error(asked.request, sentence)


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
