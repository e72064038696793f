"""The pipeline of vision: segmentation, embeddings and keypoints of images and of the keyframes of videos.

A completed segmentation sends its masked batch at the moment of its completed event, and announces the
embeddings and keypoints of the same assets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jobs.change import Change, event_factory
from jobs.models import Phase
from jobs.rules.errors import BadInput
from jobs.rules.pipelines import Kind, KindOptions, PhaseSpec
from jobs.rules.statuses import Shortfall, Trigger
from jobs.tracking.announce import announce_total
from jobs.tracking.create import add_phases

SEGMENTATION = "segmentation"
AFTER_SEGMENTATION = ("embeddings", "keypoints")
SERVICES = (SEGMENTATION, *AFTER_SEGMENTATION)
MASKED_BATCHES = {
    "image": ("products.images.masked.batch", "total_images"),
    "video": ("video.keyframes.masked.batch", "total_keyframes"),
}
ASSET_TYPES = tuple(MASKED_BATCHES)


def phase_spec(asset_type: str, service: str) -> PhaseSpec:
    """The phase of one service over one asset type, as every vision job has it."""
    return PhaseSpec(
        code=f"{asset_type}.{service}",
        asset_type=asset_type,
        label=f"{asset_type.capitalize()} {service}",
        stage=f"{asset_type.capitalize()} {service} {{done}}/{{expected}}",
        trigger=Trigger.AT_THRESHOLD,
        on_shortfall=Shortfall.PARTIAL,
    )


def _phases(options: KindOptions) -> list[PhaseSpec]:
    unknown = sorted(set(options.asset_types) - set(ASSET_TYPES))
    if unknown:
        raise BadInput({"asset_types": f"There is no asset type {unknown[0]!r}; there are: image, video."})
    if options.phases:
        return [_as_vision(spec) for spec in options.phases]
    wanted = options.asset_types or ASSET_TYPES
    return [phase_spec(asset, service) for asset in ASSET_TYPES if asset in wanted for service in SERVICES]


def _as_vision(spec: PhaseSpec) -> PhaseSpec:
    asset_type, _, service = spec.code.partition(".")
    if asset_type not in ASSET_TYPES or service not in SERVICES:
        names = ", ".join(f"{asset}.{service}" for asset in ASSET_TYPES for service in SERVICES)
        raise BadInput({"phases": f"A vision job has no phase {spec.code!r}; there are: {names}."})
    preset = phase_spec(asset_type, service)
    return replace(
        spec,
        asset_type=asset_type,
        label=spec.label or preset.label,
        stage=spec.stage or preset.stage,
        trigger=spec.trigger or preset.trigger,
        on_shortfall=spec.on_shortfall or preset.on_shortfall,
    )


def specs(asset_type: str, *, segmented: bool) -> list[PhaseSpec]:
    """The phases that events about one asset type bring to a job."""
    services = SERVICES if segmented else AFTER_SEGMENTATION
    return [phase_spec(asset_type, service) for service in services]


def join(change: Change, asset_type: str, *, segmented: bool) -> None:
    """Add the phases of an asset type to the job of this change."""
    add_phases(change, specs(asset_type, segmented=segmented))


def first_in_line(phases: Sequence[Phase], asset_type: str) -> list[Phase]:
    """The phases to which new assets of this type come first: segmentation, else embeddings and keypoints."""
    by_code = {phase.code: phase for phase in phases}
    segmentation = by_code.get(f"{asset_type}.{SEGMENTATION}")
    return [segmentation] if segmentation else _after_segmentation(phases, asset_type)


def _after_segmentation(phases: Sequence[Phase], asset_type: str) -> list[Phase]:
    codes = [f"{asset_type}.{service}" for service in AFTER_SEGMENTATION]
    return [phase for phase in phases if phase.code in codes]


def hand_on(change: Change, phase: Phase) -> None:
    """What follows a completed segmentation: its masked batch, and the totals of the phases behind it."""
    asset_type, _, service = phase.code.partition(".")
    if service != SEGMENTATION:
        return
    name, total = MASKED_BATCHES[asset_type]
    change.emit(event_factory.masked_batch(phase, name, total=total))
    for following in _after_segmentation(change.phases[phase.job_id], asset_type):
        announce_total(change, following, expected=phase.done)


VISION = Kind(code="vision", label="Vision", build=_phases, default_threshold=None, completed=hand_on)
