"""Inbound events of vision jobs: totals, new assets and results of image and video services."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from jobs.change import Change
from jobs.inbox.handlers import Effect, EventHandler, add_pending, announce, complete_item
from jobs.inbox.messages import Inbound, new_item, without
from jobs.models import Phase
from jobs.rules.errors import BadInput
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import NewItem
from jobs.vision.phases import SEGMENTATION, first_in_line, specs

TOTALS = ("total_images", "total_keyframes", "total_frames")


def total_of(event: Inbound) -> int:
    """Return the total that an event announces, under whichever name; BadInput where two names disagree."""
    given = {name: event.data[name] for name in TOTALS if name in event.data}
    if len(set(given.values())) > 1:
        raise BadInput({f"data.{name}": f"The totals {' and '.join(given)} must be the same." for name in given})
    return int(next(iter(given.values())))


def items_of(event: Inbound) -> list[NewItem]:
    """Return the assets that an event lists, each with its other fields as payload; BadInput for too large ones."""
    if "frames" not in event.data:
        payload = without(event.data, "job_id", "event_id", "image_id")
        return [new_item(event.data["image_id"], payload, field="data")]
    video = {"video_id": event.data["video_id"]}
    return [
        new_item(frame["frame_id"], {**without(frame, "frame_id"), **video}, field=f"data.frames[{place}]")
        for place, frame in enumerate(event.data["frames"])
    ]


# --- the three kinds of events -------------------------------------------------------------------------


def total_announced(asset_type: str) -> EventHandler:
    """Return the handler of totals: they are announced to the phases that are first in line."""

    def apply(change: Change, event: Inbound, phases: list[Phase]) -> Effect:
        return announce(change, event, phases, total=total_of(event))

    return EventHandler(
        missing_phases=partial(_missing, asset_type, segmented=False),
        addressed=partial(first_in_line, asset_type=asset_type),
        apply=apply,
        repeatable_by_id=True,
    )


def assets_added(asset_type: str) -> EventHandler:
    """Return the handler of new assets: they become pending in the phases that are first in line."""

    def apply(change: Change, event: Inbound, phases: list[Phase]) -> Effect:
        return add_pending(change, phases, items_of(event))

    return EventHandler(
        missing_phases=partial(_missing, asset_type, segmented=False),
        addressed=partial(first_in_line, asset_type=asset_type),
        apply=apply,
    )


def asset_completed(asset_type: str, service: str) -> EventHandler:
    """Return the handler of a service's results: the asset is completed in the phase of the service."""
    code = f"{asset_type}.{service}"

    def addressed(phases: Sequence[Phase]) -> list[Phase]:
        return [phase for phase in phases if phase.code == code]

    def apply(change: Change, event: Inbound, phases: list[Phase]) -> Effect:
        if not phases:
            codes = ", ".join(phase.code for phase in change.phases[change.job.pk])
            raise BadInput({"type": f"Job {change.job.name} has no phase {code}; it has: {codes}."})
        return complete_item(change, phases[0], event.data["asset_id"], field="data.asset_id")

    segmented = service == SEGMENTATION
    return EventHandler(
        missing_phases=partial(_missing, asset_type, segmented=segmented), addressed=addressed, apply=apply
    )


def _missing(asset_type: str, present: Sequence[Phase], *, segmented: bool) -> list[PhaseSpec]:
    """Return the phases of an asset type that is new to the job; none where the job has phases of it."""
    known = any(phase.asset_type == asset_type for phase in present)
    return [] if known else specs(asset_type, segmented=segmented)


HANDLERS = {
    "products.images.ready.batch": total_announced("image"),
    "videos.keyframes.ready.batch": total_announced("video"),
    "products.image.ready": assets_added("image"),
    "videos.keyframes.ready": assets_added("video"),
    "image.embedding.ready": asset_completed("image", "embeddings"),
    "image.keypoint.ready": asset_completed("image", "keypoints"),
    "products.image.masked": asset_completed("image", SEGMENTATION),
    "video.embedding.ready": asset_completed("video", "embeddings"),
    "video.keypoint.ready": asset_completed("video", "keypoints"),
    "video.keyframe.masked": asset_completed("video", SEGMENTATION),
}
