"""Workers that were not heard any more and still hold items, as a row of what needs attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from jobs.console.status_styles import StatusStyle
from jobs.console.workers.worker_queries import Holding, worker_style
from jobs.models import Worker
from jobs.operations.buttons import ActButton, act_button
from jobs.operations.registry import refusal
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_duration, pluralize

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

OTHERS_WORK = "Workers that are alive hold items of this job too; tick on its page those that are to be released."


@dataclass(frozen=True, slots=True)
class SilentWorker:
    """The workers of one job that are silent or gone, and what becomes of what they hold."""

    holding: Holding
    now: datetime

    @property
    def worker(self) -> Worker:
        """The one that was silent longest."""
        return self.holding.workers[0]

    @property
    def others(self) -> int:
        """How many more there are."""
        return len(self.holding.workers) - 1

    @property
    def face(self) -> StatusStyle:
        """Silent or gone."""
        return worker_style(self.worker.seen_at, now=self.now)

    @property
    def since(self) -> str:
        """`silent 46 min, holds 5 items`."""
        holds = f"{'hold' if self.others else 'holds'} {pluralize(self.holding.items, 'item')}"
        return f"silent {_silent(self.worker, now=self.now)}, {holds}"

    @property
    def detail(self) -> str:
        """When the items come back by themselves, or that they do not."""
        holding = self.holding
        if holding.live and holding.until:
            left = format_duration((holding.until - self.now).total_seconds())
            return f"{pluralize(holding.live, 'live lease')}, the last over in {left}; then claimable by themselves"
        if holding.leaseless:
            return f"{pluralize(holding.leaseless, 'item')} without a lease; only a release frees them"
        return "the leases are over; the watchdog frees the items with its next pass"


def silent_workers(holding: Holding, *, now: datetime) -> str:
    """`w-7 (silent 46 min) and 2 more`."""
    worker, *others = holding.workers
    more = f" and {len(others)} more" if others else ""
    return f"{worker.name} (silent {_silent(worker, now=now)}){more}"


def release_offer(f: JobSnapshot, holding: Holding, user: User | AnonymousUser) -> ActButton:
    """Release what one worker holds; of several, what is held without a live lease, else all if it is all theirs."""
    if len(holding.workers) == 1:
        return release_of(holding.workers[0], f, user, items=holding.items)
    if f.free or not f.live:
        return act_button("release", f, user)
    pressed = _called(act_button("release", f, user, all="1"), f.live)
    return pressed if f.live == holding.live else replace(pressed, why_not=pressed.why_not or OTHERS_WORK)


def release_of(worker: Worker, f: JobSnapshot, user: User | AnonymousUser, *, items: int) -> ActButton:
    """Release what exactly this worker holds in a job, live leases too."""
    held = {"match": "items", "worker": worker.name, "status": "processing", "all": "1"}
    pressed = act_button("release", f, user, **held)
    return replace(_called(pressed, items), why_not=refusal(pressed.act, f.job, user))


def _called(pressed: ActButton, leases: int) -> ActButton:
    return replace(pressed, label=f"Release {pluralize(leases, 'lease')}…")


def _silent(worker: Worker, *, now: datetime) -> str:
    return format_duration((now - worker.seen_at).total_seconds())
