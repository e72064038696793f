"""The vision pipeline: its phases, the events that it accepts, and the step after a completed segmentation."""

from __future__ import annotations

from pathlib import Path

from jobs.change import Change, event_factory
from jobs.models import Phase
from jobs.rules.pipelines import Kind
from jobs.tracking.announce import announce_total
from jobs.vision.events import HANDLERS
from jobs.vision.phases import SEGMENTATION, after_segmentation, build_phases

MASKED_BATCHES = {
    "image": ("products.images.masked.batch", "total_images"),
    "video": ("video.keyframes.masked.batch", "total_keyframes"),
}


def announce_masked(change: Change, phase: Phase) -> None:
    """Send the masked batch of a completed segmentation, and announce the totals of the phases after it."""
    asset_type, _, service = phase.code.partition(".")
    if service != SEGMENTATION:
        return
    name, total = MASKED_BATCHES[asset_type]
    event_id = event_factory.run_event_id(phase, "/masked")
    change.emit(event_factory.outward(phase.job, name, phase=phase, event_id=event_id, **{total: phase.done}))
    for following in after_segmentation(change.phases[phase.job_id], asset_type):
        announce_total(change, following, expected=phase.done)


VISION = Kind(
    code="vision",
    label="Vision",
    build=build_phases,
    default_threshold=None,
    completed=announce_masked,
    plural="Vision",
    key="s",
    inbound=HANDLERS,
    contracts=Path(__file__).parent / "contracts",
)
