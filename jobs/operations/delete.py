"""The act `delete`: a job that is over goes with everything that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from django.contrib.admin.models import DELETION
from django.db import transaction
from django.db.models import Count

from jobs.change import Change
from jobs.change.audit import audit
from jobs.db import deletion
from jobs.models import Delivery, Job
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import Act, ButtonText, Confirmation, Lines, Operation
from jobs.operations.registry import register
from jobs.rules.errors import WrongState
from jobs.rules.formatting import pluralize
from jobs.rules.statuses import FINISHED_JOB
from jobs.watchdog import removal

if TYPE_CHECKING:
    from jobs.operations.estimate import EstimateQuery
    from jobs.operations.snapshot import JobSnapshot

log = structlog.get_logger(__name__)


class DeleteInput(ActInput, kw_only=True, frozen=True):
    """Delete also where events wait for their delivery; they are not sent then."""

    undelivered: bool = False


class Delete(Operation):
    """Delete a completed, failed or cancelled job with its items, events and deliveries, for good.

    It is gone at once; its rows go in portions, the first of them now. The audit log keeps the act.
    """

    name, label, past = "delete", "Delete", "deleted"
    summary = "Delete a job"
    help = "delete a job that is over with everything that belongs to it; needs --reason"
    states = FINISHED_JOB
    grave = reason_required = ends_job = removes_job = True
    type_name = type_count = True
    Arguments = DeleteInput
    example = {"reason": "The matter is closed."}
    form_fields = ("undelivered",)
    nothing = "Events of the job are not delivered yet."

    def execute(self, change: Change, arguments: DeleteInput) -> Act:
        """Mark the job as removed, and delete its rows after the commit."""
        job = change.job
        waiting = Delivery.objects.undelivered().filter(job=job).count()
        if waiting and not arguments.undelivered:
            raise WrongState(
                f"Job {job.name} has {pluralize(waiting, 'undelivered event')}. Wait until they are delivered, "
                "or delete it with `undelivered`; then they are not sent."
            )
        unsent = f"; {pluralize(waiting, 'event')} will not be delivered" if waiting else ""
        detail = f"Job {job.name} is deleted{unsent}."
        Job.objects.filter(pk=job.pk).update(removed_at=change.now)
        audit(change, self.verb, detail, flag=DELETION)
        fields = {**job.log_fields(), "actor": change.by.label, "reason": change.reason, "undelivered": waiting}
        transaction.on_commit(lambda: log.info("job.deleted", **fields), robust=True)
        transaction.on_commit(lambda: removal.delete_removed_jobs([job.pk]), robust=True)
        return Act(1, job, detail)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button."""
        return ButtonText("Delete…", "Deletes the job with its items, events and deliveries; cannot be undone")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Count the rows that would go, and the deliveries that would not be sent."""
        job = snapshot.job
        rows = deletion.count_referring(Job.objects.filter(pk=job.pk))
        waiting = Delivery.objects.undelivered().filter(job=job).count()
        sent = f"{pluralize(waiting, 'event')} would not be delivered: tick “Undelivered” to delete all the same"
        lines: Lines = [
            ("Will be deleted", [job.name, *(pluralize(number, *names) for names, number in rows.items())]),
            ("Will be sent", [sent if waiting else "nothing"]),
            ("Left behind", ["The audit log keeps this act. Live pages of the job end."]),
            ("Undo", ["Not possible. The name is free for a new job afterwards."]),
        ]
        return Confirmation(lines, 1)

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count the jobs without undelivered events, or all where these may be lost."""
        if dict(query.scope.extra).get("undelivered"):
            return [1] * len(query.snapshots)
        ids = [each.job.pk for each in query.snapshots]
        waiting = Delivery.objects.undelivered().filter(job__in=ids).order_by().values_list("job")
        kept = dict(waiting.annotate(number=Count("pk")))
        return [int(pk not in kept) for pk in ids]


delete = register(Delete())
