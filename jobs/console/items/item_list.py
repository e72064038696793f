"""The filtered list of a phase's items, worst status first, with the acts on all matching items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from jobs.console import status_styles
from jobs.console.acts.selection import MOST_ITEMS
from jobs.console.items.filters import Filters, narrowed
from jobs.models import Item, Phase
from jobs.models.items import ItemQuerySet
from jobs.operations.base import Operation
from jobs.operations.buttons import ActButton, item_buttons
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_number
from jobs.rules.statuses import ItemStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User
    from django.http import QueryDict

LISTED = 25
WORST_FIRST = (ItemStatus.FAILED, ItemStatus.PROCESSING, ItemStatus.PENDING, ItemStatus.COMPLETED, ItemStatus.SKIPPED)


@dataclass(frozen=True, slots=True)
class Tab:
    """Link to the items of one status; `count` is None when other filters make it unknown."""

    style: status_styles.StatusStyle | None
    count: int | None
    address: str
    current: bool


@dataclass(frozen=True, slots=True)
class ListPosition:
    """Sort position of an item: its status, worst first, then its id."""

    status: ItemStatus
    pk: int

    def __str__(self) -> str:
        return f"{self.status}-{self.pk}"


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One page of items; `previous` and `following` are addresses, empty when there is no such page."""

    rows: list[Item]
    previous: str
    following: str


@dataclass(frozen=True, slots=True)
class Matching:
    """The number of matching items as text, and the acts on all of them.

    Both are empty without filters: acts on the whole job are in its panel.
    """

    text: str
    buttons: list[ActButton]


class ItemList:
    """The items of a phase under the filters of an address."""

    def __init__(self, phase: Phase, filters: Filters, query: QueryDict) -> None:
        self.phase, self.filters, self.query = phase, filters, query
        self.items = narrowed(Item.objects.filter(phase=phase), filters)
        self.counts = counts_of(phase)

    def page(self) -> ItemPage:
        """Return the page that the address names, else the first page."""
        before, after = parse_position(self.query.get("before", "")), parse_position(self.query.get("after", ""))
        if before is not None:
            rows = self._fetch(before, backwards=True)
            if len(rows) > LISTED:
                return self._page(rows[:LISTED][::-1], is_first=False, is_last=False)
            after = None
        rows = self._fetch(after)
        return self._page(rows[:LISTED], is_first=after is None, is_last=len(rows) <= LISTED)

    def tabs(self) -> list[Tab]:
        """Return a tab for all items and one per status."""
        alone = not any(value for name, value in self.filters.items() if name != "status")
        shown = self.filters["status"]
        every = Tab(None, self.phase.items_total if alone else None, self.address(status=""), shown not in self.counts)
        return [every] + [
            Tab(status_styles.STYLES[status], count if alone else None, self.address(status=status), shown == status)
            for status, count in self.counts.items()
            if count or shown == status
        ]

    def matching(self, snapshot: JobSnapshot, user: User | AnonymousUser, *, back: str) -> Matching:
        """Return the acts on all items that match the filters."""
        if not any(self.filters.values()):
            return Matching("", [])
        count = self._count()
        applicable = [each for each in item_buttons(snapshot, user) if self._concerns(each.act)]
        query = {"match": "items", "phase": self.phase.code, **_nonempty(self.filters), "back": back}
        return Matching(
            f"All {format_number(count)} that match"
            if count <= MOST_ITEMS
            else f"The first {format_number(MOST_ITEMS)} that match",
            [
                replace(each, label=f"{each.act.label} all…", url=f"{each.url}?{urlencode(query)}")
                for each in applicable
                if count
            ],
        )

    def address(self, **changes: str) -> str:
        """Return the address of this list with changed filters or another position."""
        kept = {"phase": self.phase.code, **self.filters, **changes}
        return f"?{urlencode(_nonempty(kept))}#items"

    def _count(self) -> int:
        if self.filters["status"] in self.counts and len(_nonempty(self.filters)) == 1:
            return self.counts[ItemStatus(self.filters["status"])]
        return self.items.order_by()[: MOST_ITEMS + 1].count()

    def _concerns(self, act: Operation) -> bool:
        """Return whether this act can change an item of a status that is shown."""
        shown = [status for status in self._statuses() if self.counts[status]]
        return any(status in act.item_states for status in shown)

    def _statuses(self) -> Sequence[ItemStatus]:
        status = self.filters["status"]
        return [ItemStatus(status)] if status in self.counts else WORST_FIRST

    def _fetch(self, position: ListPosition | None, *, backwards: bool = False) -> list[Item]:
        """Return up to one page and one item after this position (or before it), nearest first.

        One query per status: a single query in this order could not use the index (phase, status, id).
        """
        found: list[Item] = []
        for rows in self._by_status(position, backwards=backwards):
            found += rows[: LISTED + 1 - len(found)]
            if len(found) > LISTED:
                break
        return found

    def _by_status(self, position: ListPosition | None, *, backwards: bool) -> Iterator[ItemQuerySet]:
        order = [status for status in self._statuses() if self.counts[status]]
        for status in reversed(order) if backwards else order:
            rows = self.items.in_status(status).order_by("-pk" if backwards else "pk")
            if position is None:
                yield rows
            elif status == position.status:
                yield rows.filter(pk__lt=position.pk) if backwards else rows.filter(pk__gt=position.pk)
            elif (WORST_FIRST.index(status) < WORST_FIRST.index(position.status)) == backwards:
                yield rows

    def _page(self, rows: list[Item], *, is_first: bool, is_last: bool) -> ItemPage:
        if not rows:
            return ItemPage([], "" if is_first else self.address(), "")
        first, last = (ListPosition(ItemStatus(row.status), row.pk) for row in (rows[0], rows[-1]))
        return ItemPage(
            rows,
            previous="" if is_first else self.address(before=str(first)),
            following="" if is_last else self.address(after=str(last)),
        )


def counts_of(phase: Phase) -> dict[ItemStatus, int]:
    """Return the number of items in each status, worst first."""
    return {
        ItemStatus.FAILED: phase.failed,
        ItemStatus.PROCESSING: phase.processing,
        ItemStatus.PENDING: max(0, phase.pending_items),
        ItemStatus.COMPLETED: phase.done,
        ItemStatus.SKIPPED: phase.skipped,
    }


def parse_position(text: str) -> ListPosition | None:
    """Parse `pending-1234`; return None if the text has another form."""
    status, _, pk = text.partition("-")
    known = status in list(ItemStatus) and pk.isascii() and pk.isdigit() and len(pk) < 19
    return ListPosition(ItemStatus(status), int(pk)) if known else None


def _nonempty(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
