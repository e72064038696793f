"""What each type of inbound event does to its job, inside a change that holds the job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from jobs.vision import pipeline
from jobs.change import Change
from jobs.change.refusals import Call, closed_to
from jobs.rules.errors import BadInput
from jobs.inbox.messages import Inbound
from jobs.models import Phase
from jobs.rules.statuses import Held, Outcome
from jobs.tracking import Batch, Result
from jobs.tracking.announce import announce_total
from jobs.tracking.create import list_items
from jobs.tracking.report import accepted, apply_results

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
class Handling:
    """How a type is handled: the assets that it is about, the service that reports it, and what it does."""

    asset_type: str
    act: Callable[[Change, Inbound, Handling], Effect]
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


def handle(c: Change, event: Inbound) -> Effect:
    """Apply an event to the one job of this change. Phases of its assets that the job lacks come with it."""
    handling = HANDLINGS[event.type]
    present = any(phase.asset_type == handling.asset_type for phase in c.phases[c.job.pk])
    if c.job.held == Held.CANCELLED and not present:
        return Effect("closed", [], kept=False)
    if not present:
        pipeline.join(c, handling.asset_type, segmented=handling.segmented)
    c.heard(c.job)
    return handling.act(c, event, handling)


def _announce(c: Change, event: Inbound, handling: Handling) -> Effect:
    """The total of the phases that are first in line; those that are over record it."""
    phases = handling.addressed(c.phases[c.job.pk])
    answers = [announce_total(c, phase, expected=event.total(), event_id=event.event_id) for phase in phases]
    applied = [answer.phase for answer in answers if answer.applied]
    if applied:
        return Effect(None, applied)
    reasons = {answer.reason for answer in answers}
    return Effect(next(reason for reason in UNAPPLIED if reason in reasons), phases)


def _list(c: Change, event: Inbound, handling: Handling) -> Effect:
    """Pending items of the phases that are first in line and not over; no total is set by them."""
    items = event.items()
    phases = handling.addressed(c.phases[c.job.pk])
    takers = [phase for phase in phases if closed_to(phase, Call.ADD) is None]
    if not takers:
        return Effect("closed", phases, kept=False)
    added = [list_items(c, phase, items, listing=False).added for phase in takers]
    return Effect(None if any(added) else "duplicate", takers)


def _report(c: Change, event: Inbound, handling: Handling) -> Effect:
    """One completed item. Events carry no attempt and no checksum, so one for a settled item says nothing new."""
    phases = handling.addressed(c.phases[c.job.pk])
    if not phases:
        codes = ", ".join(phase.code for phase in c.phases[c.job.pk])
        raise BadInput({"type": f"Job {c.job.name} has no phase {handling.phase}; it has: {codes}."})
    batch = Batch(phases[0], "", [Result(event.data["asset_id"], "completed")], c.by)
    [answer] = accepted(apply_results(c, [batch])[0]).results
    if answer.outcome == Outcome.INVALID:
        raise BadInput({"data.asset_id": answer.detail})
    if answer.outcome == Outcome.CLOSED:
        return Effect("closed", phases, kept=False)
    return Effect(None if answer.outcome == Outcome.APPLIED else "duplicate", phases)


HANDLINGS = {
    "products.images.ready.batch": Handling("image", _announce),
    "videos.keyframes.ready.batch": Handling("video", _announce),
    "products.image.ready": Handling("image", _list),
    "videos.keyframes.ready": Handling("video", _list),
    "image.embedding.ready": Handling("image", _report, "embeddings"),
    "image.keypoint.ready": Handling("image", _report, "keypoints"),
    "products.image.masked": Handling("image", _report, pipeline.SEGMENTATION),
    "video.embedding.ready": Handling("video", _report, "embeddings"),
    "video.keypoint.ready": Handling("video", _report, "keypoints"),
    "video.keyframe.masked": Handling("video", _report, pipeline.SEGMENTATION),
}
ANNOUNCING = frozenset(name for name, handling in HANDLINGS.items() if handling.act is _announce)
