"""Causes of incidents: their key, and the words of an incident that they open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from jobs.models import Incident
from jobs.models.texts import fit
from jobs.rules.error_fingerprints import signature
from jobs.rules.incidents import CAUSE_LENGTH, KINDS, IncidentKind
from jobs.rules.statuses import JobStatus, Stuck

Key = tuple[str, str, str]
STUCK = {
    Stuck.SILENT: ("are silent", "No worker has sent a report or a heartbeat for their jobs."),
    Stuck.STALLED: ("make no progress", "Workers send heartbeats, but settle no item."),
    Stuck.UNANNOUNCED: ("wait for an announcement", "No total has been announced."),
}
FAILED = " failed: "


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause, and the words and severity of its incident; 0 stands for the severity of its kind."""

    kind: IncidentKind
    project: str = ""
    about: str = ""
    title: str = ""
    detail: str = ""
    error: str = ""
    severity: int = 0

    @property
    def key(self) -> Key:
        """The key of the one open incident."""
        return (self.kind, self.project, self.about)

    def columns(self) -> dict[str, object]:
        """Return the columns of an incident that come from its cause, cut to their lengths."""
        texts = {name: fit(Incident, name, getattr(self, name)) for name in ("title", "detail", "error")}
        return {**texts, "worst": self.severity or KINDS[self.kind].severity}


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that holds now, the jobs that it hits, and the number of its subjects: its jobs where that is None."""

    cause: Cause
    jobs: Collection[int] = ()
    subjects: int | None = None

    @property
    def number(self) -> int:
        """The number of subjects."""
        return len(self.jobs) if self.subjects is None else self.subjects


@dataclass(frozen=True, slots=True)
class JobState:
    """The columns of a job, and of its phases, that need a person."""

    kind: str
    project: str
    status: str
    stuck: str
    late: bool
    error: str
    quarantined: int

    def causes(self) -> Mapping[str, Cause]:
        """Return the causes that hit the job in this state, by their kind."""
        found = []
        if self.stuck:
            found.append(self._stuck())
        if self.late:
            found.append(self._cause(IncidentKind.JOB_LATE, title=f"{self.kind} jobs are late"))
        if self.status == JobStatus.FAILED:
            found.append(self._failed())
        if self.quarantined:
            title = f"Workers are quarantined in {self.kind} jobs"
            detail = "They only fail, and another worker does not. They get one item when their time is over."
            found.append(self._cause(IncidentKind.WORKER_QUARANTINED, title=title, detail=detail))
        return {cause.kind: cause for cause in found}

    def _stuck(self) -> Cause:
        verb, detail = STUCK[Stuck(self.stuck)]
        return self._cause(
            IncidentKind.JOB_STUCK, self.stuck, title=f"{self.kind} jobs {verb}", detail=detail, error=self.error
        )

    def _failed(self) -> Cause:
        error = error_of(self.error)
        title = f"{self.kind} jobs failed: {error}" if error else f"{self.kind} jobs failed"
        return self._cause(IncidentKind.JOB_FAILED, signature(error), title=title, error=self.error)

    def _cause(self, kind: IncidentKind, about: str = "", *, title: str, detail: str = "", error: str = "") -> Cause:
        text = f"{self.kind} {about}".strip()[:CAUSE_LENGTH]
        return Cause(kind, self.project, text, title=title[:1].upper() + title[1:], detail=detail, error=error)


def error_of(text: str) -> str:
    """Return the error without the name of its item: `a.jpg failed: disk full` → `disk full`."""
    return text.partition(FAILED)[2] or text


@dataclass(frozen=True, slots=True)
class Move:
    """A job whose state has changed: the kinds of incidents that it leaves, and the causes that hit it now."""

    job: int
    leaves: frozenset[str] = frozenset()
    joins: tuple[Cause, ...] = field(default=())


def move_between(job: int, before: Mapping[str, Cause], after: Mapping[str, Cause]) -> Move | None:
    """Compare the causes of a job before and after a change; None where they are the same."""
    same = {kind for kind in before if kind in after and before[kind].key == after[kind].key}
    leaves = frozenset(before.keys() - same)
    joins = tuple(cause for kind, cause in after.items() if kind not in same)
    return Move(job, leaves, joins) if leaves or joins else None
