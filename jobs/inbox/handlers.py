"""What each type of inbound event does to its job, inside a change that holds the job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from jobs.change import Change
from jobs.change.refusals import Call, closed_to
from jobs.inbox.messages import Inbound
from jobs.models import Phase
from jobs.rules.errors import BadInput
from jobs.rules.statuses import Held, Outcome
from jobs.tracking import Batch, Result
from jobs.tracking.announce import announce_total
from jobs.tracking.create import list_items
from jobs.tracking.report import accepted, apply_results
from jobs.vision import pipeline

Unapplied = Literal["duplicate", "same_total", "closed"]
UNAPPLIED: tuple[Unapplied, ...] = ("same_total", "duplicate", "closed")


@dataclass(frozen=True, slots=True)
class Effect:
    """What an event did: why it did nothing (None where it did something), and to which phases.

    One that is not `kept` left no trace, so its id is free: the same event may be taken once the phase is open.
    """

    reason: Unapplied | None
    phases: Sequence[Phase]
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Handler:
    """How a type is handled: the assets that it is about, the service that reports it, and what it does."""

    asset_type: str
    act: Callable[[Change, Inbound, Handler], Effect]
    service: str = ""

    @property
    def segmented(self) -> bool:
        """Does a job that is new to these assets begin with segmentation?"""
        return self.service == pipeline.SEGMENTATION

    @property
    def phase(self) -> str:
        """The code of the phase that it reports to."""
        return f"{self.asset_type}.{self.service}"

    def addressed(self, phases: Sequence[Phase]) -> list[Phase]:
        """The phases of a job that such an event is about."""
        if self.service:
            return [phase for phase in phases if phase.code == self.phase]
        return pipeline.first_in_line(phases, self.asset_type)


def handle(change: Change, event: Inbound) -> Effect:
    """Apply an event to the one job of this change. Phases of its assets that the job lacks come with it."""
    handling = HANDLERS[event.type]
    present = any(phase.asset_type == handling.asset_type for phase in change.phases[change.job.pk])
    if change.job.held == Held.CANCELLED and not present:
        return Effect("closed", [], kept=False)
    if not present:
        pipeline.join(change, handling.asset_type, segmented=handling.segmented)
    change.record_heartbeat(change.job)
    return handling.act(change, event, handling)


def _announce(change: Change, event: Inbound, handling: Handler) -> Effect:
    """The total of the phases that are first in line; those that are over record it."""
    phases = handling.addressed(change.phases[change.job.pk])
    answers = [announce_total(change, phase, expected=event.total(), event_id=event.event_id) for phase in phases]
    applied = [answer.phase for answer in answers if answer.applied]
    if applied:
        return Effect(None, applied)
    reasons = {answer.reason for answer in answers}
    return Effect(next(reason for reason in UNAPPLIED if reason in reasons), phases)


def _list(change: Change, event: Inbound, handling: Handler) -> Effect:
    """Pending items of the phases that are first in line and not over; no total is set by them."""
    items = event.items()
    phases = handling.addressed(change.phases[change.job.pk])
    takers = [phase for phase in phases if closed_to(phase, Call.ADD) is None]
    if not takers:
        return Effect("closed", phases, kept=False)
    added = [list_items(change, phase, items, listing=False).added for phase in takers]
    return Effect(None if any(added) else "duplicate", takers)


def _report(change: Change, event: Inbound, handling: Handler) -> Effect:
    """One completed item. Events carry no attempt and no checksum, so one for a settled item says nothing new."""
    phases = handling.addressed(change.phases[change.job.pk])
    if not phases:
        codes = ", ".join(phase.code for phase in change.phases[change.job.pk])
        raise BadInput({"type": f"Job {change.job.name} has no phase {handling.phase}; it has: {codes}."})
    batch = Batch(phases[0], "", [Result(event.data["asset_id"], "completed")], change.by)
    [answer] = accepted(apply_results(change, [batch])[0]).results
    if answer.outcome == Outcome.INVALID:
        raise BadInput({"data.asset_id": answer.detail})
    if answer.outcome == Outcome.CLOSED:
        return Effect("closed", phases, kept=False)
    return Effect(None if answer.outcome == Outcome.APPLIED else "duplicate", phases)


HANDLERS = {
    "products.images.ready.batch": Handler("image", _announce),
    "videos.keyframes.ready.batch": Handler("video", _announce),
    "products.image.ready": Handler("image", _list),
    "videos.keyframes.ready": Handler("video", _list),
    "image.embedding.ready": Handler("image", _report, "embeddings"),
    "image.keypoint.ready": Handler("image", _report, "keypoints"),
    "products.image.masked": Handler("image", _report, pipeline.SEGMENTATION),
    "video.embedding.ready": Handler("video", _report, "embeddings"),
    "video.keypoint.ready": Handler("video", _report, "keypoints"),
    "video.keyframe.masked": Handler("video", _report, pipeline.SEGMENTATION),
}
ANNOUNCING = frozenset(name for name, handling in HANDLERS.items() if handling.act is _announce)
