"""The act `retry`: failed items become pending, and items that wait for an automatic retry are due at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
from jobs.operations.confirmation_text import names_of, with_refused
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

    Items that wait for an automatic retry are due at once. Failures and expired leases count from zero again.
    A failed phase continues in the same run. In a phase that completed with failures the retried items
    count late. Refused on a cancelled job and in a force-completed phase.
    """

    name, label, past = "retry", "Retry", "retried"
    call = "retryItems"
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
        scope = Scope(items=tuple(arguments.items or ()), signature=arguments.error_signature)
        found = {} if arguments.items == [] else _retried(phases, scope)
        numbers = {was: _numbers(rows) for was, rows in found.items()}
        planned = sum(numbers.values(), Counter[int]())
        keys = [key for rows in found.values() for key in _keys(rows)]
        accepted = [pk for rows in found.values() for pk in rows.values_list("pk", flat=True)] if scope.items else []
        refused = item_moves.refuse_rest(change, accepted, arguments.items, self.past)
        moved, how = planned.total(), ""
        if not moved:
            return Act(0, change.job, "There are no failed items to retry.", refused)
        if moved > portions.LARGE:
            whole = Scope(phase=arguments.phase, signature=arguments.error_signature)
            marks = {phase: Moving.RETRY for phase in phases if phase.pk in planned}
            how = portions.begin(change, self.name, marks, planned=moved, scope=whole)
        else:
            for was, rows in found.items():
                item_moves.move(change, rows, was=was, now=ItemStatus.PENDING, values=RENEWED)
        affected = item_moves.single([p for p in phases if change.has_moved(p)])
        item_moves.reopen_failed(change, phases)
        change.emit(event_factory.retry_requested(change.job, phase=affected, keys=keys[:KEYS_IN_EVENT], count=moved))
        totals = [(pluralize_with_verb(each.total(), _KIND[was]), was) for was, each in numbers.items() if each]
        detail = how or " ".join(f"{items} {_NOW[was]}." for items, was in totals)
        audit(change, self.verb, detail, phase=affected)
        return Act(moved, change.job, detail, refused)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the number of failed items."""
        failed, waiting = snapshot.failed, snapshot.waiting
        due = f"{pluralize(waiting, 'waiting item')} {'is' if waiting == 1 else 'are'} due at once"
        if not failed:
            why_not = "" if waiting else "No item is failed in a phase that still takes items."
            return ButtonText(f"Retry {format_number(waiting)} now…" if waiting else "Retry failed…", due, why_not)
        effect = f"{pluralize(failed, 'failed item')} {'becomes' if failed == 1 else 'become'} pending"
        return ButtonText(f"Retry {format_number(failed)} failed…", f"{effect}; {due}" if waiting else effect)

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Name the failed items, and the traces of them that stay."""
        takers = _takers(snapshot, scope)
        found = _retried(takers, scope)
        if scope.items or scope.signature:
            counts = {was: rows.count() for was, rows in found.items()}
        else:
            failed, waiting = sum(p.failed for p in takers), sum(p.waiting for p in takers)
            counts = {ItemStatus.FAILED: failed, ItemStatus.PENDING: waiting}
        count = sum(counts.values())
        named = [f"{pluralize(n, _KIND[was])}: {names_of(found[was])}" for was, n in counts.items() if n]
        lines: Lines = [
            ("Will be retried", named or ["nothing"]),
            ("Will be sent", ["item.retry_requested, once, with the keys"] if count else ["nothing"]),
            ("Left behind", ["Their error sentences and results are cleared; tries and failures count from zero."]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Not needed: an item that was retried can be skipped, or fails again."]),
        ]
        refused = len(scope.items) - count if scope.items else 0
        return Confirmation(with_refused(lines, refused, "not failed"), count, "" if count else self.nothing)

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count failed items: from the phases' counters, or by a query where items or a signature are chosen."""
        if query.items is None and not query.scope.signature:
            takers = [_takers(each, query.scope) for each in query.snapshots]
            return [sum(phase.failed + phase.waiting for phase in phases) for phases in takers]
        phases = [phase for each in query.snapshots for phase in _takers(each, query.scope)]
        counted = sum((query.counted(rows) for rows in _retried(phases, query.scope).values()), Counter[int]())
        return query.by_job(counted, lambda snapshot: snapshot.takers)

    def item_refusal(self, snapshot: JobSnapshot, item: Item) -> str:
        """Refuse an item that has not failed."""
        if closed := item_moves.closed_phase(snapshot, item):
            return closed
        retried = item.status == ItemStatus.FAILED or item.available_at is not None
        return "" if retried else f"It is {item.status}; only a failed item can be retried."

    def outcome_text(self, act: Act) -> str:
        """Say how many were retried."""
        return f"{format_number(act.changed)} retried" if act.changed else super().outcome_text(act)


def _takers(snapshot: JobSnapshot, scope: Scope) -> list[Phase]:
    return [phase for phase in snapshot.takers if scope.phase in ("", phase.code)]


_KIND = {ItemStatus.FAILED: "failed item", ItemStatus.PENDING: "waiting item"}
_NOW = {ItemStatus.FAILED: "pending again", ItemStatus.PENDING: "due at once"}


def _retried(phases: Sequence[Phase], scope: Scope) -> dict[ItemStatus, ItemQuerySet]:
    """Return the items of these phases that a retry takes, by their status."""
    found = {ItemStatus.FAILED: Item.objects.failed().filter(phase__in=[phase.pk for phase in phases])}
    if waiting := [phase.pk for phase in phases if phase.waiting]:
        found[ItemStatus.PENDING] = Item.objects.waiting(waiting)
    if scope.signature:
        found = {was: rows.with_signature(scope.signature) for was, rows in found.items()}
    return {was: rows.with_ids(scope.items) for was, rows in found.items()} if scope.items else found


def _numbers(rows: ItemQuerySet) -> Counter[int]:
    """Count these items by phase."""
    return Counter(dict(rows.order_by().values_list("phase").annotate(number=Count("pk"))))


def _keys(rows: ItemQuerySet) -> list[str]:
    return list(rows.order_by("pk").values_list("key", flat=True)[:KEYS_IN_EVENT])


retry = register(Retry())
