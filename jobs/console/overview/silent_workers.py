"""Attention rows of workers that are silent or gone and still hold items."""

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

OTHER_LIVE_LEASES = "Live workers hold items of this job too. Open the job and tick the items to release."


@dataclass(frozen=True, slots=True)
class SilentWorker:
    """The silent or gone workers of one job, and the items that they hold."""

    holding: Holding
    project: str
    now: datetime

    @property
    def worker(self) -> Worker:
        """The worker that has been silent the longest."""
        return self.holding.workers[0]

    @property
    def url(self) -> str:
        """The page of the worker; empty where it has moved on to another project, whose accounts alone may see it."""
        return self.worker.get_absolute_url() if self.worker.project == self.project else ""

    @property
    def other_count(self) -> int:
        """Number of further workers."""
        return len(self.holding.workers) - 1

    @property
    def style(self) -> StatusStyle:
        """Style of `silent` or `gone`."""
        return worker_style(self.worker.seen_at, now=self.now)

    @property
    def since(self) -> str:
        """`silent 46 min, holds 5 items`."""
        holds = f"{'hold' if self.other_count else 'holds'} {pluralize(self.holding.items, 'item')}"
        return f"silent {_silent(self.worker, now=self.now)}, {holds}"

    @property
    def detail(self) -> str:
        """When the items become claimable without an operator, or that they never do."""
        holding = self.holding
        if holding.live and holding.until:
            left = format_duration((holding.until - self.now).total_seconds())
            leases = pluralize(holding.live, "live lease")
            return f"{leases}, the last expires in {left}; then the items can be claimed again"
        if holding.leaseless:
            return f"{pluralize(holding.leaseless, 'item')} without a lease; release them to free them"
        return "the leases have expired; the watchdog frees the items in its next pass"


def silent_workers(holding: Holding, *, now: datetime) -> str:
    """Format the silent workers of a job: `w-7 (silent 46 min) and 2 more`."""
    worker, *others = holding.workers
    more = f" and {len(others)} more" if others else ""
    return f"{worker.name} (silent {_silent(worker, now=now)}){more}"


def release_button(snapshot: JobSnapshot, holding: Holding, user: User | AnonymousUser) -> ActButton:
    """Return the button that releases the items of the silent workers.

    For one worker: exactly its items. For several: items without a live lease; if there are none, all items, which is
    possible only while no live worker holds any.
    """
    if len(holding.workers) == 1:
        return release_of(holding.workers[0], snapshot, user, items=holding.items)
    if snapshot.free or not snapshot.live:
        return act_button("release", snapshot, user)
    button = _labelled(act_button("release", snapshot, user, all="1"), snapshot.live)
    return button if snapshot.live == holding.live else replace(button, why_not=button.why_not or OTHER_LIVE_LEASES)


def release_of(worker: Worker, snapshot: JobSnapshot, user: User | AnonymousUser, *, items: int) -> ActButton:
    """Return the button that releases everything this worker holds in a job, live leases included."""
    held = {"match": "items", **worker.items_query, "status": "processing", "all": "1"}
    button = act_button("release", snapshot, user, **held)
    return replace(_labelled(button, items), why_not=refusal(button.act, snapshot.job, user))


def _labelled(button: ActButton, leases: int) -> ActButton:
    return replace(button, label=f"Release {pluralize(leases, 'lease')}…")


def _silent(worker: Worker, *, now: datetime) -> str:
    return format_duration((now - worker.seen_at).total_seconds())
