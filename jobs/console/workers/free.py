"""The confirmation page before a worker is freed: all that it holds in all jobs becomes claimable."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db.models import Count
from django.http import HttpRequest, HttpResponse

from jobs import operations
from jobs.access import access_of
from jobs.console.base import not_visible
from jobs.console.confirm_view import ConfirmView, changed_sentence
from jobs.models import Job, Worker
from jobs.operations.free import held_by
from jobs.rules.formatting import pluralize

NEEDED = "To free a worker, your account needs jobs.view_worker and jobs.release_job (role operator)."
NAMED = 8


class FreeWorkerView(ConfirmView):
    """The confirmation page of freeing one worker."""

    grave = True
    changed = changed_sentence("The items of the worker have changed")

    worker: Worker

    def __init__(self, request: HttpRequest, site: AdminSite, worker_id: str) -> None:
        super().__init__(request, site)
        self.worker_id = worker_id

    @property
    def not_found(self) -> str:
        """The sentence of the 404 page."""
        return not_visible("Worker", self.worker_id)

    def missing_permission(self) -> str:
        """Check the permissions to see workers and to release items."""
        may = self.user.has_perms(["jobs.view_worker", "jobs.view_job", "jobs.release_job"])
        return "" if may else NEEDED

    def find(self) -> bool:
        """Find the worker."""
        worker = Worker.objects.filter(pk=int(self.worker_id)).first()
        if worker is None or not access_of(self.user).sees(worker.project):
            return False
        self.worker = worker
        return True

    def state(self) -> list[list[int]]:
        """Return the numbers of held items by job."""
        return [[job, number] for job, number in self._numbers()]

    def context(self) -> dict[str, Any]:
        """Describe the effects."""
        numbers = self._numbers()
        items = sum(number for _, number in numbers)
        names = Job.objects.in_bulk([job for job, _ in numbers[:NAMED]])
        listed = [f"{names[job].name} ({number:,})" for job, number in numbers[:NAMED] if job in names]
        more = f" and {len(numbers) - NAMED:,} more" if len(numbers) > NAMED else ""
        return {
            "title": f"Free worker {self.worker.name}",
            "possible": bool(items),
            "effects": [
                ("Will be released", f"{pluralize(items, 'item')} in {pluralize(len(numbers), 'job')}"),
                ("Jobs", f"{', '.join(listed)}{more}" if listed else "none"),
                ("Leases revoked", "All leases of this worker, live ones too."),
                ("Undo", "Not possible: a late report of this worker is stale from then on."),
            ],
            "button": f"Free {pluralize(items, 'item')}",
        }

    def confirmed(self, form: forms.Form) -> HttpResponse:
        """Free it."""
        reason = form.cleaned_data["reason"]
        freed = operations.free_worker(self.worker.name, account=self._account(), actor=self.user, reason=reason)
        tell = messages.warning if freed.refused or freed.left else messages.success
        tell(self.request, f"{self.worker.name}: {freed.detail}")
        return self.go_back()

    def _account(self) -> int:
        return self.worker.account_id or 0

    def _numbers(self) -> list[tuple[int, int]]:
        held = held_by(self.worker.name, account=self._account(), project=None, user=self.user)
        return list(held.order_by("phase__job_id").values_list("phase__job_id").annotate(number=Count("pk")))
