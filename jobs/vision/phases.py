"""Phases of vision jobs: segmentation, embeddings and keypoints of images and of the keyframes of videos."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from jobs.models import Phase
from jobs.rules.errors import BadInput
from jobs.rules.pipelines import KindOptions, PhaseSpec
from jobs.rules.statuses import Shortfall, Trigger

SEGMENTATION = "segmentation"
AFTER_SEGMENTATION = ("embeddings", "keypoints")
SERVICES = (SEGMENTATION, *AFTER_SEGMENTATION)
ASSET_TYPES = ("image", "video")


def phase_spec(asset_type: str, service: str) -> PhaseSpec:
    """Return the phase of one service over one asset type, as every vision job has it."""
    return PhaseSpec(
        code=f"{asset_type}.{service}",
        asset_type=asset_type,
        label=f"{asset_type.capitalize()} {service}",
        stage=f"{asset_type.capitalize()} {service} {{done}}/{{expected}}",
        trigger=Trigger.AT_THRESHOLD,
        on_shortfall=Shortfall.PARTIAL,
    )


def build_phases(options: KindOptions) -> list[PhaseSpec]:
    """Return the phases of a vision job: those of its asset types, or those that its creator names."""
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
    """Return the phases that events about one asset type bring to a job."""
    services = SERVICES if segmented else AFTER_SEGMENTATION
    return [phase_spec(asset_type, service) for service in services]


def first_in_line(phases: Sequence[Phase], asset_type: str) -> list[Phase]:
    """Return the phases to which new assets of this type come first: segmentation, else embeddings and keypoints."""
    by_code = {phase.code: phase for phase in phases}
    segmentation = by_code.get(f"{asset_type}.{SEGMENTATION}")
    return [segmentation] if segmentation else after_segmentation(phases, asset_type)


def after_segmentation(phases: Sequence[Phase], asset_type: str) -> list[Phase]:
    """Return the embeddings and keypoints phases of an asset type."""
    codes = [f"{asset_type}.{service}" for service in AFTER_SEGMENTATION]
    return [phase for phase in phases if phase.code in codes]
