"""The result of a bulk act in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jobs.models import BulkAct
from jobs.models.bulk import TargetOutcome
from jobs.operations.base import Operation
from jobs.operations.registry import ACTS
from jobs.rules.formatting import format_number, pluralize

MOST_SENTENCES = 5
MOST_NAMED = 3


class Done(NamedTuple):
    """One job of a bulk act with its outcome."""

    job_id: int
    name: str
    outcome: str
    detail: str
    changed: int
    refusals: dict[str, int]
    was: str
    became: str
    planned: int


@dataclass
class Group:
    """Jobs that were not changed, for the same reason."""

    why: str
    jobs: list[Done] = field(default_factory=list)


def jobs_of_act(bulk: BulkAct) -> list[Done]:
    """Return all jobs of a bulk act in their order, with one query."""
    return [Done(*row) for row in bulk.targets.order_by("pk").values_list(*Done._fields)]


def groups(jobs: Iterable[Done], outcome: TargetOutcome) -> list[Group]:
    """Group the jobs of this outcome by reason, the most frequent first."""
    found: dict[str, Group] = {}
    for job in jobs:
        if job.outcome == outcome:
            found.setdefault(job.detail, Group(job.detail)).jobs.append(job)
    return sorted(found.values(), key=lambda group: -len(group.jobs))


def items_left(jobs: Iterable[Done]) -> list[tuple[str, int]]:
    """Count the items that were not changed within the jobs, by reason."""
    reasons: Counter[str] = Counter()
    for job in jobs:
        reasons.update(job.refusals)
    return reasons.most_common()


def amount(act: Operation, changes: int) -> str:
    """Say what a number of changes means for this act: `12 items`, `3 phases`; empty where it counts jobs."""
    return "" if act.counts == "job" else pluralize(changes, act.counts)


def headline(bulk: BulkAct) -> str:
    """Return one sentence on a bulk act: `12 items retried in 3 jobs, 1 job refused.`"""
    result = ACTS[bulk.act].bulk_outcome_text(bulk.changed, pluralize(bulk.done, "job"))
    refused = f", {format_number(bulk.refused)} refused" if bulk.refused else ""
    unchanged = f", {format_number(bulk.unchanged)} had nothing to change" if bulk.unchanged else ""
    left = f", {format_number(bulk.left)} not done" if bulk.left and not bulk.is_running else ""
    return f"{result}{refused}{unchanged}{left}."


def left_alone(bulk: BulkAct) -> list[str]:
    """Return a sentence for each of the most frequent reasons for not changing a job or an item."""
    jobs = jobs_of_act(bulk)
    refused = []
    for group in [*groups(jobs, TargetOutcome.REFUSED), *groups(jobs, TargetOutcome.UNCHANGED)]:
        names = names_of([job.name for job in group.jobs], most=MOST_NAMED)
        refused.append(f"{format_number(len(group.jobs))} refused: {group.why} {names}.")
    items = [f"{pluralize(count, 'item')} refused: {why}" for why, count in items_left(jobs)]
    return [*refused[:MOST_SENTENCES], *items[:MOST_SENTENCES]]


def names_of(names: Sequence[str], *, most: int) -> str:
    """Return the first names, and the number of the others: `a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {format_number(more)} more" if more > 0 else "")
