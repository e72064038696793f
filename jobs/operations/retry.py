"""The act `retry`: failed items become pending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count

from jobs.change import Change, event_factory
from jobs.change.audit import audit
from jobs.change.item_columns import RENEWED
from jobs.change.refusals import Call
from jobs.models import Item, Phase
from jobs.operations import item_moves, portions
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import NOT_CANCELLED, Act, ButtonText, Confirmation, Lines, Operation
from jobs.operations.confirmation_text import names_of, scoped, with_refused
from jobs.operations.registry import register
from jobs.rules.field_types import AnyCode, Ids, Signature
from jobs.rules.formatting import format_number, pluralize, pluralize_with_verb
from jobs.rules.statuses import ItemStatus, Moving

if TYPE_CHECKING:
    from jobs.models.items import ItemQuerySet
    from jobs.operations.estimate import EstimateQuery
    from jobs.operations.snapshot import JobSnapshot

KEYS_IN_EVENT = 1000


class RetryInput(ActInput, kw_only=True, frozen=True):
    """The failed items to retry: by phase, by id or by error signature; all of the job where none is given."""

    phase: AnyCode = ""
    items: Ids | None = None
    error_signature: Signature = ""


class Retry(Operation):
    """Make failed items pending: by ids, by phase, by error signature, or all of the job.

    A failed phase continues in the same run. In a phase that completed with failures the retried items
    count late. Refused on a cancelled job and in a force-completed phase.
    """

    name, label, past = "retry", "Retry", "retried"
    summary = "Retry failed items"
    help = "make failed items pending: all of the job, or those that are named"
    states = NOT_CANCELLED
    counts = "item"
    Arguments = RetryInput
    example = {"error_signature": "Timeout after # s", "reason": "Storage is back."}
    item_label = "Retry selected…"
    item_effect = "It becomes pending again; its error is cleared."
    item_states = (ItemStatus.FAILED,)
    nothing = "There is no failed item to retry."

    def execute(self, change: Change, arguments: RetryInput) -> Act:
        """Move the failed items, reopen their phases, send one `item.retry_requested`."""
        phases = item_moves.open_to_items(change, arguments.phase, Call.RETRY)
        failed = Item.objects.failed().filter(phase__in=phases)
        if arguments.error_signature:
            failed = failed.alike(arguments.error_signature)
        failed = item_moves.narrow(failed, items=arguments.items)
        planned = dict(failed.order_by().values_list("phase").annotate(number=Count("pk")))
        keys = list(failed.order_by("pk").values_list("key", flat=True)[:KEYS_IN_EVENT])
        refused = item_moves.refuse_rest(change, failed, arguments.items, self.past)
        moved, how = sum(planned.values()), ""
        if moved > portions.LARGE:
            scope = Scope(phase=arguments.phase, signature=arguments.error_signature)
            marks = {phase: Moving.RETRY for phase in phases if phase.pk in planned}
            how = portions.begin(change, self.name, marks, planned=moved, scope=scope)
        elif moved:
            item_moves.move(change, failed, was=ItemStatus.FAILED, now=ItemStatus.PENDING, values=RENEWED)
        else:
            return Act(0, change.job, "There are no failed items to retry.", refused)
        affected = item_moves.single([p for p in phases if change.has_moved(p)])
        item_moves.reopen_failed(change, phases)
        change.emit(event_factory.retry_requested(change.job, phase=affected, keys=keys, count=moved))
        detail = how or f"{pluralize_with_verb(moved, 'failed item')} pending again."
        audit(change, self.verb, detail, phase=affected)
        return Act(moved, change.job, detail, refused)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the number of failed items."""
        failed = snapshot.failed
        if not failed:
            return ButtonText("Retry failed…", "", "No item is failed in a phase that still takes items.")
        effect = f"{pluralize(failed, 'failed item')} {'becomes' if failed == 1 else 'become'} pending"
        return ButtonText(f"Retry {format_number(failed)} failed…", effect)

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Name the failed items, and the traces of them that stay."""
        failed = _failed_items(snapshot, scope)
        counted = sum(phase.failed for phase in _takers(snapshot, scope))
        count = failed.count() if scope.items or scope.signature else counted
        lines: Lines = [
            ("Will be retried", [f"{pluralize(count, 'failed item')}: {names_of(failed)}" if count else "nothing"]),
            ("Will be sent", ["item.retry_requested, once, with the keys"] if count else ["nothing"]),
            ("Left behind", ["Their error sentences and results are cleared; their tries count from zero."]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Not needed: an item that was retried can be skipped, or fails again."]),
        ]
        refused = len(scope.items) - count if scope.items else 0
        return Confirmation(with_refused(lines, refused, "not failed"), count, "" if count else self.nothing)

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count failed items: from the phases' counters, or by a query where items or a signature are chosen."""
        if query.items is None and not query.scope.signature:
            return [sum(phase.failed for phase in _takers(each, query.scope)) for each in query.snapshots]
        failed = Item.objects.failed()
        if query.scope.signature:
            failed = failed.alike(query.scope.signature)
        return query.by_job(query.counted(failed), lambda snapshot: snapshot.takers)

    def item_refusal(self, snapshot: JobSnapshot, item: Item) -> str:
        """Refuse an item that has not failed."""
        if closed := item_moves.closed_phase(snapshot, item):
            return closed
        failed = item.status == ItemStatus.FAILED
        return "" if failed else f"It is {item.status}; only a failed item can be retried."

    def outcome_text(self, act: Act) -> str:
        """Say how many were retried."""
        return f"{format_number(act.changed)} retried" if act.changed else super().outcome_text(act)


def _takers(snapshot: JobSnapshot, scope: Scope) -> list[Phase]:
    return [phase for phase in snapshot.takers if scope.phase in ("", phase.code)]


def _failed_items(snapshot: JobSnapshot, scope: Scope) -> ItemQuerySet:
    failed = Item.objects.failed()
    return scoped(failed.alike(scope.signature) if scope.signature else failed, _takers(snapshot, scope), scope)


retry = register(Retry())
