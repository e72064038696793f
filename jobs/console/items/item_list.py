"""One page of the items of a phase, the worst first, and what may be done to all that its filters match."""

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
    """A state of items with its list; `count` is None where other filters leave it unknown."""

    face: status_styles.StatusStyle | None
    count: int | None
    address: str
    current: bool


@dataclass(frozen=True, slots=True)
class Place:
    """An item in the order of the list: by its state, the worst first, then by its id."""

    status: ItemStatus
    pk: int

    def __str__(self) -> str:
        return f"{self.status}-{self.pk}"


@dataclass(frozen=True, slots=True)
class ItemPage:
    """The items of one page; `previous` and `following` are addresses, empty where there is none."""

    rows: list[Item]
    previous: str
    following: str


@dataclass(frozen=True, slots=True)
class Matching:
    """How many items the filters match, and the acts on all of them; more than an act takes have none.

    Nothing is said where no filter is set: the acts on a whole job are those of its panel.
    """

    said: str
    offers: list[ActButton]


class ItemList:
    """The list of a phase under the filters of an address."""

    def __init__(self, phase: Phase, filters: Filters, query: QueryDict) -> None:
        self.phase, self.filters, self.query = phase, filters, query
        self.items = narrowed(Item.objects.filter(phase=phase), filters)
        self.counts = counts_of(phase)

    def page(self) -> ItemPage:
        """The page that the address asks for; the first one where it asks for none."""
        before, after = place_of(self.query.get("before", "")), place_of(self.query.get("after", ""))
        if before is not None:
            rows = self._take(before, backwards=True)
            if len(rows) > LISTED:
                return self._page(rows[:LISTED][::-1], is_first=False, is_last=False)
            after = None
        rows = self._take(after)
        return self._page(rows[:LISTED], is_first=after is None, is_last=len(rows) <= LISTED)

    def tabs(self) -> list[Tab]:
        """Every state, and all of them."""
        alone = not any(value for name, value in self.filters.items() if name != "status")
        shown = self.filters["status"]
        every = Tab(None, self.phase.items_total if alone else None, self.address(status=""), shown not in self.counts)
        return [every] + [
            Tab(status_styles.STYLES[status], count if alone else None, self.address(status=status), shown == status)
            for status, count in self.counts.items()
            if count or shown == status
        ]

    def matching(self, figures: JobSnapshot, user: User | AnonymousUser, *, back: str) -> Matching:
        """What may be done to everything that the filters match."""
        if not any(self.filters.values()):
            return Matching("", [])
        count = self._count()
        concerned = [each for each in item_buttons(figures, user) if self._concerns(each.act)]
        query = {"match": "items", "phase": self.phase.code, **_given(self.filters), "back": back}
        return Matching(
            f"All {format_number(count)} that match"
            if count <= MOST_ITEMS
            else f"The first {format_number(MOST_ITEMS)} that match",
            [
                replace(each, label=f"{each.act.label} all…", url=f"{each.url}?{urlencode(query)}")
                for each in concerned
                if count
            ],
        )

    def address(self, **changes: str) -> str:
        """This list under other filters, or at another place."""
        kept = {"phase": self.phase.code, **self.filters, **changes}
        return f"?{urlencode(_given(kept))}#items"

    def _count(self) -> int:
        if self.filters["status"] in self.counts and len(_given(self.filters)) == 1:
            return self.counts[ItemStatus(self.filters["status"])]
        return self.items.order_by()[: MOST_ITEMS + 1].count()

    def _concerns(self, act: Operation) -> bool:
        """Could this act change an item of a state that is shown?"""
        shown = [status for status in self._statuses() if self.counts[status]]
        return any(status in act.item_states for status in shown)

    def _statuses(self) -> Sequence[ItemStatus]:
        asked = self.filters["status"]
        return [ItemStatus(asked)] if asked in self.counts else WORST_FIRST

    def _take(self, place: Place | None, *, backwards: bool = False) -> list[Item]:
        """One more than a page behind this place, or before it, the nearest first: by a query for each state."""
        found: list[Item] = []
        for rows in self._portions(place, backwards=backwards):
            found += rows[: LISTED + 1 - len(found)]
            if len(found) > LISTED:
                break
        return found

    def _portions(self, place: Place | None, *, backwards: bool) -> Iterator[ItemQuerySet]:
        order = [status for status in self._statuses() if self.counts[status]]
        for status in reversed(order) if backwards else order:
            rows = self.items.in_status(status).order_by("-pk" if backwards else "pk")
            if place is None:
                yield rows
            elif status == place.status:
                yield rows.filter(pk__lt=place.pk) if backwards else rows.filter(pk__gt=place.pk)
            elif (WORST_FIRST.index(status) < WORST_FIRST.index(place.status)) == backwards:
                yield rows

    def _page(self, rows: list[Item], *, is_first: bool, is_last: bool) -> ItemPage:
        if not rows:
            return ItemPage([], "" if is_first else self.address(), "")
        first, last = (Place(ItemStatus(row.status), row.pk) for row in (rows[0], rows[-1]))
        return ItemPage(
            rows,
            previous="" if is_first else self.address(before=str(first)),
            following="" if is_last else self.address(after=str(last)),
        )


def counts_of(phase: Phase) -> dict[ItemStatus, int]:
    """How many items of a phase are in each state, the worst first."""
    return {
        ItemStatus.FAILED: phase.failed,
        ItemStatus.PROCESSING: phase.processing,
        ItemStatus.PENDING: max(0, phase.pending_items),
        ItemStatus.COMPLETED: phase.done,
        ItemStatus.SKIPPED: phase.skipped,
    }


def place_of(text: str) -> Place | None:
    """`pending-1234`; None where it is nothing of the kind."""
    status, _, pk = text.partition("-")
    known = status in list(ItemStatus) and pk.isascii() and pk.isdigit() and len(pk) < 19
    return Place(ItemStatus(status), int(pk)) if known else None


def _given(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
