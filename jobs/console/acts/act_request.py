"""One request to act: which act, on which jobs, within which scope, with which answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from jobs.console.acts.selection import Selection
from jobs.console.base import back_url, query_text
from jobs.console.forms import ActForm
from jobs.models import Job, Phase
from jobs.operations.arguments import Scope
from jobs.operations.base import Operation
from jobs.operations.bulk import ActRequest
from jobs.operations.snapshot import JobSnapshot

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.console.acts.signed_selection import SignedSelection


@dataclass
class ConfirmationRequest:
    """`shown` is what a page has shown of it and somebody has confirmed; None while it is only asked for."""

    request: HttpRequest
    site: AdminSite
    act: Operation
    scope: Scope
    chosen: Selection
    shown: SignedSelection | None = None

    @property
    def jobs(self) -> list[Job]:
        """The chosen jobs."""
        return self.chosen.jobs

    @property
    def user(self) -> User:
        """Who asks; the pages are for those who have signed in."""
        return self.request.user  # type: ignore[return-value]

    def scope_of(self, job: Job) -> Scope:
        """The part of one job: of the chosen items only its own."""
        return replace(self.scope, items=self.chosen.of(job))

    def order(self, scope: Scope, answers: dict[str, Any]) -> ActRequest:
        """What is confirmed."""
        return ActRequest(self.act, with_answers(self.act, scope, answers), answers["reason"])

    @property
    def back(self) -> str:
        """Where one came from."""
        return back_url(self.request, otherwise=self.jobs[0].get_absolute_url() if len(self.jobs) == 1 else "")

    @property
    def phrase(self) -> str:
        """What must be typed to confirm; empty for most acts."""
        if len(self.jobs) > 1:
            return f"{len(self.jobs)} jobs" if self.act.type_count else ""
        return self.jobs[0].name if self.act.type_name else ""

    def form(self, figures: Sequence[JobSnapshot]) -> ActForm:
        """The questions, with what has been answered so far."""
        given = self.request.POST
        initial = {"threshold": self.request.GET.get("threshold", ""), **given.dict()}
        initial |= {"phase": self.scope.phase, "only": self.scope.only}
        data = given if given and "look" not in given else None
        return ActForm(data, act=self.act, phrase=self.phrase, phases=self._phases(figures), initial=initial)

    def _phases(self, figures: Sequence[JobSnapshot]) -> list[Phase]:
        """The phases that the form lets choose, by code over all jobs."""
        found = [phase for each in figures for phase in self.act.choosable_phases(each)]
        return list({phase.code: phase for phase in found}.values())


def scope_in(request: HttpRequest) -> Scope:
    """The part of the job from the address; what the form has chosen comes before it."""
    query, form = request.GET, request.POST
    return Scope(
        phase=(form.get("phase") or query.get("phase", "")).replace("\0", ""),
        signature=query_text(request, "signature"),
        all=query.get("all") == "1",
        only="failed" if (form.get("only") or query.get("only")) == "failed" else "all",
    )


def with_answers(act: Operation, scope: Scope, answers: dict[str, Any]) -> Scope:
    """Add those answers of the form that are arguments of the act."""
    extra = tuple((name, answers[name]) for name in act.form_fields if name in answers and not hasattr(scope, name))
    return replace(scope, threshold=answers.get("threshold"), extra=extra)
