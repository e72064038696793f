"""What a bulk act has done, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from jobs.models import BulkAct
from jobs.models.bulk import TargetOutcome
from jobs.operations.base import Operation
from jobs.operations.registry import ACTS
from jobs.rules.formatting import format_number, pluralize

MOST_TOLD = 5
MOST_NAMED = 3


class Done(NamedTuple):
    """One job of a bulk act, as its pages need it."""

    job_id: int
    name: str
    outcome: str
    detail: str
    changed: int
    refusals: dict[str, int]
    was: str
    became: str


@dataclass
class Group:
    """Jobs that were left as they are for the same reason."""

    why: str
    jobs: list[Done] = field(default_factory=list)

    def names(self, most: int) -> str:
        """A few of their names."""
        more = len(self.jobs) - most
        named = ", ".join(job.name for job in self.jobs[:most])
        return f"{named} and {format_number(more)} more" if more > 0 else named


def jobs_of_act(bulk: BulkAct) -> list[Done]:
    """All its jobs in their order, in one query."""
    return [Done(*row) for row in bulk.targets.order_by("pk").values_list(*Done._fields)]


def groups(jobs: Iterable[Done], outcome: TargetOutcome) -> list[Group]:
    """The jobs of this outcome by reason, the most frequent first."""
    found: dict[str, Group] = {}
    for job in jobs:
        if job.outcome == outcome:
            found.setdefault(job.detail, Group(job.detail)).jobs.append(job)
    return sorted(found.values(), key=lambda group: -len(group.jobs))


def items_left(jobs: Iterable[Done]) -> list[tuple[str, int]]:
    """How many items were left alone within the jobs, by reason."""
    reasons: Counter[str] = Counter()
    for job in jobs:
        reasons.update(job.refusals)
    return reasons.most_common()


def amount(act: Operation, changes: int) -> str:
    """Say what a number of changes means for this act: `12 items`, `3 phases`; empty where it counts jobs."""
    return "" if act.counts == "job" else pluralize(changes, act.counts)


def headline(bulk: BulkAct) -> str:
    """Return one sentence on a bulk act: `12 items retried in 3 jobs, 1 job refused.`"""
    said = ACTS[bulk.act].bulk_outcome_text(bulk.changed, pluralize(bulk.done, "job"))
    refused = f", {format_number(bulk.refused)} refused" if bulk.refused else ""
    unchanged = f", {format_number(bulk.unchanged)} had nothing to change" if bulk.unchanged else ""
    left = f", {format_number(bulk.left)} not done" if bulk.left and not bulk.is_running else ""
    return f"{said}{refused}{unchanged}{left}."


def left_alone(bulk: BulkAct) -> list[str]:
    """A sentence for each of the most frequent reasons why something was left as it is."""
    jobs = jobs_of_act(bulk)
    refused = [f"{format_number(len(g.jobs))} refused: {g.why} {g.names(MOST_NAMED)}." for g in _left(jobs)]
    items = [f"{pluralize(count, 'item')} refused: {why}" for why, count in items_left(jobs)]
    return [*refused[:MOST_TOLD], *items[:MOST_TOLD]]


def _left(jobs: list[Done]) -> list[Group]:
    return [*groups(jobs, TargetOutcome.REFUSED), *groups(jobs, TargetOutcome.UNCHANGED)]
