"""The acts of an operator as the pages know them: name, permission, states, and how grave they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jobs.models.jobs import PERMISSIONS
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.models import Job

GOING = (JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.PAUSED)
UNCANCELLED = (*GOING, JobStatus.FAILED, JobStatus.COMPLETED)
MEANING = dict(PERMISSIONS)


@dataclass(frozen=True, slots=True)
class ActSpec:
    """One act. `grave` ones need a reason and look at every change since the figures were shown."""

    slug: str
    title: str
    past: str
    states: tuple[JobStatus, ...]
    grave: bool = False

    @property
    def verb(self) -> str:
        """The name of the verb in `operations`."""
        return "set_threshold" if self.slug == "threshold" else self.slug.replace("-", "_")

    @property
    def ends(self) -> bool:
        """Does it end the job?"""
        return self.slug in ("force-complete", "fail", "cancel")

    @property
    def permission(self) -> str:
        """The permission that the verb asks for."""
        return f"jobs.{self.verb}_job"


@dataclass(frozen=True, slots=True)
class Scope:
    """What part of a job an act is about; empty means all of it."""

    phase: str = ""
    items: tuple[int, ...] = ()
    signature: str = ""
    all: bool = False
    only: Literal["all", "failed"] = "all"
    threshold: int | None = None


ACTS: dict[str, ActSpec] = {
    act.slug: act
    for act in (
        ActSpec("retry", "Retry", "retried", UNCANCELLED),
        ActSpec("release", "Release", "released", tuple(JobStatus)),
        ActSpec("skip", "Skip", "skipped", UNCANCELLED),
        ActSpec("pause", "Pause", "paused", (JobStatus.PENDING, JobStatus.PROCESSING)),
        ActSpec("resume", "Resume", "resumed", (JobStatus.PAUSED,)),
        ActSpec("threshold", "Change threshold", "changed", tuple(JobStatus), grave=True),
        ActSpec("restart", "Restart", "restarted", tuple(JobStatus), grave=True),
        ActSpec("force-complete", "Force-complete", "force-completed", (*GOING, JobStatus.FAILED), grave=True),
        ActSpec("fail", "Fail", "failed", GOING, grave=True),
        ActSpec("cancel", "Cancel", "cancelled", (*GOING, JobStatus.FAILED), grave=True),
    )
}


def forbidden(act: ActSpec, user: User | AnonymousUser) -> str:
    """Which permission this account lacks for this act, as a sentence; empty where it has it."""
    if user.has_perm(act.permission):
        return ""
    return f"Needs the permission “{MEANING[f'{act.verb}_job']}”. A lead can give it to your account."


def refusal(act: ActSpec, job: Job, user: User | AnonymousUser) -> str:
    """Why this account cannot do this act on this job now, as a sentence; empty where it can."""
    if why_not := forbidden(act, user):
        return why_not
    if job.status not in act.states:
        names = ", ".join(act.states[:-1]) + (" or " if len(act.states) > 1 else "") + act.states[-1]
        return f"Job {job.name} is {job.status}; possible while it is {names}."
    return ""
