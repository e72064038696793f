"""The training pipeline: three phases; the later ones wait for the earlier."""

from __future__ import annotations

from jobs.rules.errors import BadInput
from jobs.rules.pipelines import Kind, KindOptions, PhaseSpec
from jobs.rules.statuses import Shortfall, Trigger
from training.models import CLUSTERING, FACE_DETECTION, TRAINING


def _phase(code: str, *, label: str, stage: str, weight: int, asset_type: str = "", gated: bool = True) -> PhaseSpec:
    return PhaseSpec(
        code=code,
        label=label,
        stage=stage,
        weight=weight,
        asset_type=asset_type,
        gated=gated,
        trigger=Trigger.WHEN_SETTLED,
        on_shortfall=Shortfall.FAIL,
    )


PHASES = (
    _phase(
        TRAINING,
        label="Training",
        stage="Training image {done}/{expected}",
        weight=30,
        asset_type="image",
        gated=False,
    ),
    _phase(
        FACE_DETECTION,
        label="Face detection",
        stage="Detecting faces in image {done}/{expected}",
        weight=65,
        asset_type="image",
    ),
    _phase(CLUSTERING, label="Clustering", stage="Clustering faces", weight=5),
)


def _phases(options: KindOptions) -> list[PhaseSpec]:
    if options.phases or options.asset_types:
        raise BadInput({"phases": "Leave phases out: a training session has fixed phases."})
    return list(PHASES)


PIPELINE = Kind(
    code="training",
    label="Training",
    build=_phases,
    default_threshold=None,
    page="admin:training_trainingsession_change",
    list_page="admin:training_trainingsession_changelist",
    plural="Training",
    key="r",
    open=False,
    created_at="/api/v1/training",
)
