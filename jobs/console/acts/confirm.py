"""The confirmation page of an act, and the act on one job; the act on several jobs is in `confirm_many`.

`jobs.console.acts.selection` documents the query string.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs.console.acts import confirm_many
from jobs.console.acts.forms import ActForm, scope_of_request
from jobs.console.acts.selection import Selection, selected
from jobs.console.acts.signed_selection import SignedSelection, load_selection, sign_selection
from jobs.console.base import back_url, visible_jobs
from jobs.console.confirm_view import CHECK_AGAIN, ConfirmView, changed_sentence
from jobs.console.job_rows import JobRow, rows_of
from jobs.models import Job, Phase
from jobs.operations import Act
from jobs.operations.arguments import Scope
from jobs.operations.base import Confirmation, Operation
from jobs.operations.bulk import ActRequest, ExpectedState, StateChanged, execute, expected_state
from jobs.operations.confirmation_text import confirmation
from jobs.operations.estimate import snapshots_of
from jobs.operations.registry import ACTS, forbidden
from jobs.operations.snapshot import snapshot_of
from jobs.rules.errors import Refused
from jobs.rules.formatting import format_number

SEE_JOBS = "To see jobs, your account needs the permission jobs.view_job (role viewer)."
EXPIRED = f"This confirmation has expired. {CHECK_AGAIN}"


@dataclass(frozen=True, slots=True)
class Target:
    """The job of an act on one job: the confirmation text and the row with its progress."""

    job: Job
    preview: Confirmation
    row: JobRow


class ActView(ConfirmView):
    """The confirmation page of one act: on one job, or on several that are selected in a list.

    `again` is true where the page was shown again because a job had changed.
    """

    template = "jobs/confirm/act.html"
    not_found = "There is no such job, or it is not visible to you."

    chosen: Selection

    def __init__(self, request: HttpRequest, site: AdminSite, slug: str, job_id: int | None = None) -> None:
        super().__init__(request, site)
        self.act = ACTS[slug]
        self.scope = scope_of_request(request, self.act)
        self.job_id = job_id
        self.is_confirmed = request.method == "POST" and "preview" not in request.POST
        self.shown = load_selection(request) if self.is_confirmed else None
        self.again = self.shown.again if self.shown else False

    def missing_permission(self) -> str:
        """Check the permission to see jobs, and for a confirmation that of the act."""
        if visible_jobs(self.request) is None:
            return SEE_JOBS
        return forbidden(self.act, self.request.user) if self.is_confirmed else ""

    def find(self) -> bool:
        """Find the jobs of the signed selection, else those of the query string."""
        visible = visible_jobs(self.request)
        assert visible is not None
        if self.shown:
            found: Selection | None = self.shown.selection(visible)
        else:
            found = selected(self.request, self.site, visible, job_id=self.job_id)
        if found is None or not found.jobs:
            return False
        self.chosen = found
        if self.is_confirmed and self.shown is None:
            messages.warning(self.request, EXPIRED)
            self.is_confirmed = False
        return True

    @property
    def jobs(self) -> list[Job]:
        """The selected jobs."""
        return self.chosen.jobs

    @property
    def back(self) -> str:
        """The page that the operator came from; else the page of the job."""
        return back_url(self.request, otherwise=self.jobs[0].get_absolute_url() if len(self.jobs) == 1 else "")

    @property
    def phrase(self) -> str:
        """The phrase that the operator must type; empty for most acts."""
        if len(self.jobs) > 1:
            return f"{len(self.jobs)} jobs" if self.act.type_count else ""
        return self.jobs[0].name if self.act.type_name else ""

    @property
    def number(self) -> str:
        """The number of the job, which confirms as well where its name has letters that a keyboard may lack."""
        return "" if not self.phrase or self.phrase.isascii() else str(self.jobs[0].pk)

    def form(self) -> ActForm:
        """Return the form, with the answers so far."""
        given = self.request.POST
        initial = {"threshold": self.request.GET.get("threshold", ""), **given.dict()}
        initial |= {"phase": self.scope.phase, "only": self.scope.only}
        data = given if given and "preview" not in given else None
        return ActForm(
            data, act=self.act, phrase=self.phrase, number=self.number, phases=self._phases(), initial=initial
        )

    def _phases(self) -> list[Phase]:
        """Return the phases to choose from, each code once over all jobs."""
        if "phase" not in self.act.form_fields:
            return []
        found = [phase for each in snapshots_of(self.jobs) for phase in self.act.choosable_phases(each)]
        return list({phase.code: phase for phase in found}.values())

    def is_current(self) -> bool:
        """Compare revisions for a grave act on several jobs. `execute` checks each job under its lock."""
        assert self.shown is not None
        if len(self.jobs) == 1 or not self.act.grave or self.again:
            return True
        moved = sum(self.shown.jobs[job.pk].revision != job.revision for job in self.jobs)
        if moved:
            self.changed = changed_sentence(f"{format_number(moved)} of these jobs changed")
            self.again = True
        return not moved

    def scope_of(self, job: Job) -> Scope:
        """Return the scope within one job: of the selected items only its own."""
        return replace(self.scope, items=self.chosen.of(job))

    def act_request(self, scope: Scope, answers: dict[str, Any]) -> ActRequest:
        """Return the confirmed act with its arguments and reason."""
        names = [name for name in self.act.form_fields if name in answers and not hasattr(scope, name)]
        extra = tuple((name, msgspec.to_builtins(answers[name])) for name in names)
        complete = replace(scope, threshold=answers.get("threshold"), extra=(*scope.extra, *extra))
        return ActRequest(self.act, complete, answers["reason"])

    def context(self) -> dict[str, Any]:
        """Describe the act on the selected jobs."""
        described = confirm_many.context(self) if len(self.jobs) > 1 else self._context()
        common = {"act": self.act, "chosen": self.chosen, "grave": self.act.ends_job}
        return {**common, "narrow": bool(self.act.form_fields), **described}

    def _context(self) -> dict[str, Any]:
        [job] = self.jobs
        snapshot = snapshot_of(job)
        text = confirmation(self.act, snapshot, self.user, self.scope_of(job))
        return {
            "title": f"{self.act.label}: {job.name}",
            "single": Target(job, text, rows_of([job], now=snapshot.now)[job.pk]),
            "possible": not text.why_not,
            "shown": self.sign({job.pk: expected_state(snapshot)}),
            "button": self.act.confirm_label(text.changes),
        }

    def sign(self, jobs: dict[int, ExpectedState]) -> str:
        """Sign what the page shows."""
        shown = SignedSelection(self.chosen.words, jobs, self.chosen.items, again=self.again)
        return sign_selection(shown, self.request)

    def confirmed(self, form: ActForm) -> HttpResponse:
        """Act on one job, or start the bulk act."""
        return confirm_many.start(self, form) if len(self.jobs) > 1 else self._act(form)

    def _act(self, form: ActForm) -> HttpResponse:
        assert self.shown is not None
        [job] = self.jobs
        seen = self.shown.jobs[job.pk]
        expected = seen if self.act.grave and not self.again else ExpectedState(seen.states)
        request = self.act_request(self.scope_of(job), form.cleaned_data)
        try:
            act = execute(request, job.pk, expected=expected, actor=self.user)
        except StateChanged:
            messages.warning(self.request, changed_sentence(f"{job.name} has changed"))
            job.refresh_from_db()
            self.again = True
            return self.page(form)
        except Refused as error:
            messages.error(self.request, f"{job.name}: {error.detail}")
        else:
            level = messages.SUCCESS if act.changed else messages.WARNING
            messages.add_message(self.request, level, f"{job.name}: {outcome(self.act, act)}")
            if self.act.removes_job:
                return HttpResponseRedirect(reverse("admin:jobs_job_changelist"))
        return self.go_back()


def outcome(act: Operation, result: Act) -> str:
    """Say what was done and what was refused: `12 retried, 1 refused: is processing …`."""
    reasons = Counter(refusal.detail.rstrip(".") for refusal in result.refused)
    refused = "".join(f", {format_number(count)} refused: {why}" for why, count in reasons.items())
    return f"{act.outcome_text(result)}{refused}."
