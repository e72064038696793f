"""The act `release`: held items become pending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count
from django.utils import timezone

from jobs.change import Change
from jobs.change.audit import audit
from jobs.change.item_columns import TAKEN_BACK
from jobs.change.refusals import Call
from jobs.models import Item
from jobs.operations import item_moves, portions
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import Act, ButtonText, Confirmation, Lines, Operation
from jobs.operations.confirmation_text import names_of, scoped
from jobs.operations.registry import register
from jobs.rules.field_types import AnyCode, Ids
from jobs.rules.formatting import format_number, pluralize, pluralize_with_verb
from jobs.rules.statuses import ItemStatus, Moving

if TYPE_CHECKING:
    from jobs.operations.estimate import EstimateQuery
    from jobs.operations.snapshot import JobSnapshot


class ReleaseInput(ActInput, kw_only=True, frozen=True):
    """The held items to release; with `all` also those under a live lease."""

    phase: AnyCode = ""
    items: Ids | None = None
    all: bool = False


class Release(Operation):
    """Make held items without a live lease pending under a new attempt; with `all`, live leases too.

    A report under the old attempt is stale from then on.
    """

    name, label, past = "release", "Release", "released"
    call = "releaseItems"
    summary = "Release held items"
    help = "make held items without a live lease pending"
    counts = "item"
    Arguments = ReleaseInput
    example = {"all": True, "reason": "Storage is back."}
    item_label = "Release selected…"
    item_effect = "It can be claimed again; a late report of its last holder is stale."
    item_states = (ItemStatus.PROCESSING,)
    nothing = "No worker holds an item without a live lease."

    def execute(self, change: Change, arguments: ReleaseInput) -> Act:
        """Make the items pending under a new attempt."""
        phases = item_moves.open_to_items(change, arguments.phase, Call.RELEASE)
        held = Item.objects.held().filter(phase__in=phases)
        free = held if arguments.all else held.without_live_lease(change.now)
        free = item_moves.narrow(free, items=arguments.items)
        refused = item_moves.refuse_rest(change, free.values_list("pk", flat=True), arguments.items, self.past)
        planned = dict(free.order_by().values_list("phase").annotate(number=Count("pk")))
        moved, how = sum(planned.values()), ""
        if moved > portions.LARGE:
            scope = Scope(phase=arguments.phase, all=arguments.all)
            marks = {phase: Moving.RELEASE for phase in phases if phase.pk in planned}
            how = portions.begin(change, self.name, marks, planned=moved, scope=scope)
        elif moved:
            item_moves.move(change, free, was=ItemStatus.PROCESSING, now=ItemStatus.PENDING, values=TAKEN_BACK)
        else:
            detail = "No item is held." if arguments.all else "No item is held without a live lease."
            return Act(0, change.job, detail, refused)
        detail = how or f"{pluralize_with_verb(moved, 'item')} claimable again."
        audit(change, self.verb, detail, phase=item_moves.single(phases) if arguments.phase else None)
        return Act(moved, change.job, detail, refused)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the number of leases."""
        free, live = snapshot.free, snapshot.live
        label = f"Release {pluralize(free, 'lease')}…" if free else "Release leases…"
        stay = f"; {pluralize(live, 'live lease')} stay" if live else ""
        effect = f"{pluralize(free, 'item')} claimable again{stay}"
        if free + live:
            return ButtonText(label, effect)
        return ButtonText(label, effect, "No worker holds an item.")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Name the items, and the live leases that stay."""
        chosen = snapshot.chosen(scope.phase)
        held = scoped(Item.objects.held(), chosen, scope)
        free = held if scope.all else scoped(Item.objects.without_live_lease(snapshot.now), chosen, scope)
        count = free.count()
        stay = held.count() - count
        holders = ", ".join(snapshot.holders)
        lines: Lines = [
            ("Will be released", [f"{pluralize(count, 'item')}: {names_of(free)}" if count else "nothing"]),
            ("Will be sent", ["nothing"]),
            ("Left behind", [f"{pluralize(stay, 'live lease')} of {holders} stay."] if stay else ["nothing"]),
            ("Leases revoked", [pluralize(count, "lease") if scope.all else "only those that have expired"]),
            ("Undo", ["Not possible: a late report of the last holder is stale from then on."]),
        ]
        return Confirmation(lines, count, "" if count else self.nothing)

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count held items."""
        held = Item.objects.held()
        free = held if query.scope.all else held.without_live_lease(timezone.now())
        return query.by_job(query.counted(free), lambda snapshot: snapshot.phases)

    def item_refusal(self, snapshot: JobSnapshot, item: Item) -> str:
        """Refuse an item that is not held, or held under a live lease."""
        if item.status != ItemStatus.PROCESSING:
            return "No worker holds it."
        return item_moves.lease_text(item) if item_moves.is_live(snapshot, item) else ""

    def outcome_text(self, act: Act) -> str:
        """Say how many were released."""
        return f"{format_number(act.changed)} released" if act.changed else super().outcome_text(act)


release = register(Release())
