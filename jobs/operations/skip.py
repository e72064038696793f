"""The act `skip`: items count as done without work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from jobs.change import Change
from jobs.change.audit import audit
from jobs.change.item_columns import CLEARED
from jobs.change.refusals import Call
from jobs.models import Item
from jobs.operations import item_moves
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import NOT_CANCELLED, Act, Confirmation, Lines, Operation, refusals
from jobs.operations.confirmation_text import names_of, scoped, with_refused
from jobs.operations.registry import register
from jobs.rules.field_types import Ids
from jobs.rules.formatting import format_number, pluralize, pluralize_with_verb
from jobs.rules.statuses import ItemStatus

if TYPE_CHECKING:
    from jobs.operations.estimate import EstimateQuery
    from jobs.operations.snapshot import JobSnapshot


class SkipInput(ActInput, kw_only=True, frozen=True):
    """The items to skip."""

    items: Ids


class Skip(Operation):
    """Count pending, failed and abandoned items as done work.

    An item under a live lease, or with another outcome already, is refused. A failed phase continues and
    is evaluated again.
    """

    name, label, past = "skip", "Skip", "skipped"
    call = "skipItems"
    summary = "Skip items"
    help = "count items as done without work"
    states = NOT_CANCELLED
    counts = "item"
    Arguments = SkipInput
    example = {"items": [411, 412], "reason": "Storage is back."}
    item_label = "Skip selected…"
    item_effect = "It counts as done work from then on."
    on_whole_job = False
    item_states = (ItemStatus.PENDING, ItemStatus.FAILED, ItemStatus.PROCESSING)
    nothing = "None of these items can be skipped."

    def execute(self, change: Change, arguments: SkipInput) -> Act:
        """Move the items that may be skipped."""
        phases = item_moves.open_to_items(change, "", Call.SKIP)
        every = Item.objects.filter(phase__in=phases)
        free = every.without_live_lease(change.now).with_ids(arguments.items).values_list("pk", flat=True)
        waiting = every.filter(status__in=(ItemStatus.PENDING, ItemStatus.FAILED)).with_ids(arguments.items)
        fit = [*waiting.values_list("pk", flat=True), *free]
        reasons = item_moves.refusal_reasons(every.with_ids(arguments.items), self.past)
        refused = refusals(arguments.items, accepted=fit, reasons=reasons)
        values = CLEARED | {"status": ItemStatus.SKIPPED, "finished_at": change.now}
        moved = 0
        for was in self.item_states:
            chosen = Item.objects.filter(status=was).with_ids(fit)
            moved += item_moves.move(change, chosen, was=was, now=ItemStatus.SKIPPED, values=values)
        if not moved:
            return Act(0, change.job, self.nothing, refused)
        item_moves.reopen_failed(change, phases)
        detail = f"{pluralize_with_verb(moved, 'item')} skipped."
        audit(change, self.verb, detail)
        return Act(moved, change.job, detail, refused)

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Name the items, and the consequences of skipping."""
        if not scope.items:
            return Confirmation([], 0, "Select the items to skip in the list of the job.")
        open_items = scoped(Item.objects.filter(status__in=("pending", "failed")), snapshot.takers, scope)
        free = scoped(Item.objects.without_live_lease(snapshot.now), snapshot.takers, scope)
        count = open_items.count() + free.count()
        lines: Lines = [
            ("Will be skipped", [f"{pluralize(count, 'item')}: {names_of(open_items)}" if count else "nothing"]),
            ("Will be sent", ["the completed event of a phase, if this meets its threshold"]),
            ("Left behind", ["They count as done work from now on; their error sentences are cleared."]),
            ("Leases revoked", [pluralize(free.count(), "abandoned lease")]),
            ("Undo", ["Not possible: a skipped item stays skipped, also in a restart."]),
        ]
        refused = len(scope.items) - count
        return Confirmation(with_refused(lines, refused, "settled or held"), count, "" if count else self.nothing)

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count the chosen items that may be skipped."""
        if query.items is None:
            return [0] * len(query.snapshots)
        waiting = Item.objects.filter(status__in=(ItemStatus.PENDING, ItemStatus.FAILED))
        free = Item.objects.without_live_lease(timezone.now())
        return query.by_job(query.counted(waiting) + query.counted(free), lambda snapshot: snapshot.takers)

    def item_refusal(self, snapshot: JobSnapshot, item: Item) -> str:
        """Refuse an item with success, or under a live lease."""
        if closed := item_moves.closed_phase(snapshot, item):
            return closed
        if item.status in (ItemStatus.COMPLETED, ItemStatus.SKIPPED):
            return f"It is {item.status}; only an item without success can be skipped."
        return item_moves.lease_text(item) if item_moves.is_live(snapshot, item) else ""

    def outcome_text(self, act: Act) -> str:
        """Say how many were skipped."""
        return f"{format_number(act.changed)} skipped" if act.changed else super().outcome_text(act)


skip = register(Skip())
