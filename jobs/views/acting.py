"""Doing what was confirmed, and only that: an act is not done upon a job that has become another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from jobs import operations
from jobs.errors import BadInput, Conflict
from jobs.models import Job
from jobs.operations import Act
from jobs.previews import Figures, figures_of

if TYPE_CHECKING:
    from jobs.views.confirming import Asked

ATTEMPTS = 5


class Changed(Exception):
    """The job is no longer what the operator saw."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was shown of a job: its revision, and a digest of its states.

    A job that works has a new revision with every report. So a grave act looks at the revision once;
    when the page has been shown again with the new figures (`moved`) only another state holds it up.
    """

    job_id: int
    revision: int
    states: str
    moved: bool = False

    def __str__(self) -> str:
        return f"{self.revision}:{self.states}:{int(self.moved)}"

    @property
    def field(self) -> str:
        """The name of the hidden field that carries it."""
        return f"seen-{self.job_id}"


def seen_of(figures: Figures, *, moved: bool = False) -> Seen:
    """What the page shows of this job."""
    job = figures.job
    states = [
        job.status,
        job.held,
        *(f"{p.code} {p.run} {p.status} {p.threshold} {p.expected}" for p in figures.phases),
    ]
    return Seen(job.pk, job.revision, blake2b("\n".join(states).encode(), digest_size=8).hexdigest(), moved)


def perform(asked: Asked, job: Job, answers: dict[str, Any]) -> Act:
    """Do the act if the job still is what was seen; Changed where it is not."""
    shown = _shown(asked, job)
    for _ in range(ATTEMPTS):
        job.refresh_from_db()
        current = seen_of(figures_of(job))
        strict = asked.act.grave and not shown.moved
        if current.states != shown.states or (strict and current.revision != shown.revision):
            raise Changed
        try:
            return _DO[asked.act.slug](job, asked, answers)
        except Conflict as error:
            if error.code != "changed":
                raise
    raise Changed


def _shown(asked: Asked, job: Job) -> Seen:
    revision, _, rest = asked.request.POST.get(f"seen-{job.pk}", "").partition(":")
    states, _, moved = rest.partition(":")
    if not revision.isdigit() or len(revision) > 18:
        raise Changed
    return Seen(job.pk, int(revision), states, moved == "1")


def _who(job: Job, asked: Asked, answers: dict[str, Any]) -> dict[str, Any]:
    return {"actor": asked.request.user, "reason": answers["reason"], "revision": job.revision}


def _retry(job: Job, asked: Asked, answers: dict[str, Any]) -> Act:
    scope = asked.scope_of(job)
    return operations.retry(
        job,
        phase=scope.phase,
        items=scope.items or None,
        error_signature=scope.signature,
        **_who(job, asked, answers),
    )


def _release(job: Job, asked: Asked, answers: dict[str, Any]) -> Act:
    scope = asked.scope_of(job)
    return operations.release(
        job, phase=scope.phase, items=scope.items or None, all=scope.all, **_who(job, asked, answers)
    )


def _skip(job: Job, asked: Asked, answers: dict[str, Any]) -> Act:
    items = asked.scope_of(job).items
    if not items:
        raise BadInput({"items": "Tick the items to skip in the list of the job."})
    return operations.skip(job, items=items, **_who(job, asked, answers))


def _force_complete(job: Job, asked: Asked, answers: dict[str, Any]) -> Act:
    return operations.force_complete(job, phase=asked.scope.phase, **_who(job, asked, answers))


def _threshold(job: Job, asked: Asked, answers: dict[str, Any]) -> Act:
    return operations.set_threshold(
        job, phase=answers["phase"], threshold=answers["threshold"], **_who(job, asked, answers)
    )


def _restart(job: Job, asked: Asked, answers: dict[str, Any]) -> Act:
    return operations.restart(job, phase=answers["phase"], only=answers["only"], **_who(job, asked, answers))


def _plain(verb: Callable[..., Act]) -> Callable[[Job, Asked, dict[str, Any]], Act]:
    return lambda job, asked, answers: verb(job, **_who(job, asked, answers))


_DO: dict[str, Callable[[Job, Asked, dict[str, Any]], Act]] = {
    "retry": _retry,
    "release": _release,
    "skip": _skip,
    "force-complete": _force_complete,
    "threshold": _threshold,
    "restart": _restart,
    "pause": _plain(operations.pause),
    "resume": _plain(operations.resume),
    "fail": _plain(operations.fail),
    "cancel": _plain(operations.cancel),
}
