"""Freeing a worker: everything that it holds, in all jobs, becomes claimable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.models import Item, Job
from jobs.models.jobs import projects_of
from jobs.models.workers import Worker
from jobs.operations.base import Act, require_permission
from jobs.operations.release import release
from jobs.rules.errors import NotFound, Refused
from jobs.rules.formatting import pluralize
from jobs.rules.limits import MOST_ITEMS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.models.items import ItemQuerySet

VERB = "release"
TOGETHER = 1000


@dataclass(frozen=True, slots=True)
class Freed:
    """The freed items and their jobs; `refused` jobs are named with the reason, `left` items were beyond the limit."""

    items: int = 0
    jobs: int = 0
    left: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)

    @property
    def detail(self) -> str:
        """The result for people."""
        if not self.items and not self.refused:
            return "The worker holds no items."
        done = f"{pluralize(self.items, 'item')} freed in {pluralize(self.jobs, 'job')}."
        refused = f" {pluralize(len(self.refused), 'job')} refused: {self.refused[0][1]}" if self.refused else ""
        left = f" {pluralize(self.left, 'item')} left; free the worker again." if self.left else ""
        return f"{done}{refused}{left}"


def free_worker(
    name: str, *, account: int | None = None, project: str | None = None, actor: User | None, reason: str = ""
) -> Freed:
    """Release the items that the workers of this name hold, live leases included; each job is one transaction.

    `account` narrows to the worker of one account (0: of none), `project` to the jobs of one project. Raises
    NotPermitted, and NotFound for a project that is not visible to the account.
    """
    require_permission(actor, VERB)
    by_job: dict[int, list[int]] = defaultdict(list)
    held = held_by(name, account=account, project=project, user=actor)
    rows = list(held.order_by("phase__job_id", "pk").values_list("phase__job_id", "pk")[: MOST_ITEMS + 1])
    for job_id, item_id in rows[:MOST_ITEMS]:
        by_job[job_id].append(item_id)
    jobs = Job.objects.in_bulk(list(by_job))
    acts: list[Act] = []
    refused: list[tuple[int, str]] = []
    for job_id, items in by_job.items():
        if job_id in jobs:
            _free(jobs[job_id], items, actor=actor, reason=reason, acts=acts, refused=refused)
    changed = [act for act in acts if act.changed]
    left = held.count() if len(rows) > MOST_ITEMS else 0
    return Freed(sum(act.changed for act in changed), len({act.job.pk for act in changed}), left, refused)


def held_by(name: str, *, account: int | None, project: str | None, user: User | None) -> ItemQuerySet:
    """Return what the workers of this name hold in jobs that are visible to the account."""
    projects: Collection[str] | None = projects_of(user) if user is not None else None
    if project is not None and projects is not None and project not in projects:
        raise NotFound(f"There is no project {project}, or it is not visible to your account.")
    held = Item.objects.held().filter(worker=name)
    if account is not None:
        held = held.filter(account=account) if account else held.filter(account__isnull=True)
    chosen = projects if project is None else [project]
    return held if chosen is None else held.filter(phase__job__project__in=chosen)


def is_known(name: str, *, user: User) -> bool:
    """Return whether the account sees a worker of this name, by its last project or by the items that it holds."""
    seen = Worker.objects.within(projects_of(user)).filter(name=name)
    return seen.exists() or held_by(name, account=None, project=None, user=user).exists()


def _free(
    job: Job, items: list[int], *, actor: User | None, reason: str, acts: list[Act], refused: list[tuple[int, str]]
) -> None:
    """Release some items of one job in portions of a call; a refusal does not stop the other jobs."""
    try:
        for start in range(0, len(items), TOGETHER):
            some = items[start : start + TOGETHER]
            acts.append(release(job, actor=actor, reason=reason, items=some, all=True))
    except Refused as error:
        refused.append((job.pk, error.detail))
