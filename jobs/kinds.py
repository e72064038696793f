"""The registry of pipelines: what a kind of job is made of.

An app registers its pipeline when it is ready (`AppConfig.ready`); the kernel asks the registry
and never imports the app. A kind says which phases a job gets, which results it takes, and which
page shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jobs.errors import BadInput
from jobs.statuses import Shortfall, Trigger

PhaseBuilder = Callable[["KindOptions"], "list[PhaseSpec]"]
ResultCheck = Callable[[Any, Any, dict[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class PhaseSpec:
    """One phase to create. None means the preset: of the job (threshold), of its kind, of the settings."""

    code: str
    asset_type: str = ""
    label: str = ""
    stage: str = ""
    weight: int = 100
    expected: int | None = None
    threshold: int | None = None
    trigger: Trigger | None = None
    on_shortfall: Shortfall | None = None
    gated: bool = False
    watermark_ttl: int | None = None

    def with_defaults(self) -> PhaseSpec:
        """The same phase with its label and stage sentence filled in."""
        label = self.label or self.code.replace("_", " ").replace(".", " ").capitalize()
        return replace(
            self,
            label=label,
            stage=self.stage or f"{label} {{done}}/{{expected}}",
        )


@dataclass(frozen=True, slots=True)
class KindOptions:
    """What a creator may say about a job that decides its phases."""

    phases: Sequence[PhaseSpec] = ()
    asset_types: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A pipeline.

    `build` turns the creator's options into phases; `default_threshold` is the percent where
    neither the phase nor the job names one (None: COMPLETION_THRESHOLD_PERCENTAGE). `check_result`
    gets (job, phase, result) and answers why the result is refused, or None. `page` names the URL
    that shows a job of this kind (it takes the job's id). A kind that is not `open` is created
    through its own endpoint, `created_at`.
    """

    code: str
    label: str
    build: PhaseBuilder
    default_threshold: int | None = 100
    check_result: ResultCheck | None = None
    page: str = "admin:job-page"
    open: bool = True
    created_at: str = ""


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Add a pipeline; registering a code again replaces it."""
    _kinds[kind.code] = kind


def get(code: str) -> Kind:
    """The kind by its code; BadInput names the ones there are."""
    try:
        return _kinds[code]
    except KeyError:
        known = ", ".join(sorted(_kinds))
        raise BadInput({"kind": f"There is no kind {code!r}; there are: {known}."}) from None


def choices() -> list[tuple[str, str]]:
    """(code, label) of every registered kind, for filters and forms."""
    return [(kind.code, kind.label) for kind in sorted(_kinds.values(), key=lambda kind: kind.label)]


# --- generic: whatever the creator names -----------------------------------------------------------


def _generic_phases(options: KindOptions) -> list[PhaseSpec]:
    if options.asset_types:
        raise BadInput({"asset_types": "Only a job of kind vision has asset types; name phases instead."})
    return list(options.phases) or [PhaseSpec(code="items", label="Items", stage="Processing {done}/{expected}")]


# --- vision: segmentation, embeddings, keypoints of images and videos ------------------------------

ASSET_TYPES = ("image", "video")
SERVICES = ("segmentation", "embeddings", "keypoints")


def vision_phase(asset_type: str, service: str) -> PhaseSpec:
    """The phase of one service over one asset type, as every vision job has it."""
    return PhaseSpec(
        code=f"{asset_type}.{service}",
        asset_type=asset_type,
        label=f"{asset_type.capitalize()} {service}",
        stage=f"{asset_type.capitalize()} {service} {{done}}/{{expected}}",
        trigger=Trigger.AT_THRESHOLD,
        on_shortfall=Shortfall.PARTIAL,
    )


def _vision_phases(options: KindOptions) -> list[PhaseSpec]:
    unknown = sorted(set(options.asset_types) - set(ASSET_TYPES))
    if unknown:
        raise BadInput({"asset_types": f"There is no asset type {unknown[0]!r}; there are: image, video."})
    if options.phases:
        return [_as_vision(spec) for spec in options.phases]
    wanted = options.asset_types or ASSET_TYPES
    return [vision_phase(asset, service) for asset in ASSET_TYPES if asset in wanted for service in SERVICES]


def _as_vision(spec: PhaseSpec) -> PhaseSpec:
    asset_type, _, service = spec.code.partition(".")
    if asset_type not in ASSET_TYPES or service not in SERVICES:
        names = ", ".join(f"{asset}.{service}" for asset in ASSET_TYPES for service in SERVICES)
        raise BadInput({"phases": f"A vision job has no phase {spec.code!r}; there are: {names}."})
    preset = vision_phase(asset_type, service)
    return replace(
        spec,
        asset_type=asset_type,
        label=spec.label or preset.label,
        stage=spec.stage or preset.stage,
        trigger=spec.trigger or preset.trigger,
        on_shortfall=spec.on_shortfall or preset.on_shortfall,
    )


register(Kind(code="generic", label="Generic", build=_generic_phases, default_threshold=100))
register(Kind(code="vision", label="Vision", build=_vision_phases, default_threshold=None))
