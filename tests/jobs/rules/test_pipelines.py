"""Kinds: every pipeline is data over one model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobs import tracking
from jobs.models import Job, Phase
from jobs.operations import cancel, retry
from jobs.rules import pipelines
from jobs.rules.pipelines import Kind, KindOptions, PhaseSpec
from jobs.tracking import Result
from tests.factories import WORKER, listed, make_job, outcomes, phase_of, pipeline, take, tell

pytestmark = pytest.mark.django_db

PRESET = ("weight", "threshold", "trigger", "on_shortfall", "gated")


def presets(job: Job) -> dict[str, tuple[Any, ...]]:
    return {phase.code: tuple(getattr(phase, name) for name in PRESET) for phase in job.phases.order_by("position")}


def test_a_generic_job_without_phases_has_one_of_its_items() -> None:
    job = pipeline()
    assert presets(job) == {"items": (100, 100, "when_settled", "partial", False)}
    assert (phase_of(job).label, phase_of(job).stage) == ("Items", "Processing {done}/{expected}")


def test_a_generic_job_has_the_phases_that_its_creator_names() -> None:
    job = pipeline(PhaseSpec("face_detection", weight=65), PhaseSpec("clustering", weight=5, gated=True))
    assert presets(job) == {
        "face_detection": (65, 100, "when_settled", "partial", False),
        "clustering": (5, 100, "when_settled", "partial", True),
    }
    assert (phase_of(job).label, phase_of(job).stage) == ("Face detection", "Face detection {done}/{expected}")


def test_a_vision_job_has_one_phase_per_asset_type_and_service() -> None:
    services = ("segmentation", "embeddings", "keypoints")
    rule = (100, 90, "at_threshold", "partial", False)
    job = pipeline(kind="vision")
    assert presets(job) == {f"{asset}.{service}": rule for asset in ("image", "video") for service in services}
    assert {phase.asset_type for phase in job.phases.all()} == {"image", "video"}


def test_a_vision_job_may_have_one_asset_type_alone() -> None:
    job = pipeline(kind="vision", asset_types=["video"])
    assert list(presets(job)) == ["video.segmentation", "video.embeddings", "video.keypoints"]


def test_a_vision_job_may_have_chosen_services_and_rules_of_its_own() -> None:
    job = pipeline(PhaseSpec("video.embeddings", weight=7, threshold=100), kind="vision")
    assert presets(job) == {"video.embeddings": (7, 100, "at_threshold", "partial", False)}
    assert (phase_of(job).asset_type, phase_of(job).label) == ("video", "Video embeddings")


# --- a kind of one's own -----------------------------------------------------------------------------


def mismatch(job: Job, phase: Phase, result: dict[str, Any]) -> str | None:
    """Refuse a result that does not say that it is good."""
    return None if result.get("good") else f"checksum_mismatch: {job.name} {phase.code}"


@pytest.fixture
def picky() -> Iterator[Kind]:
    """Provide a pipeline that looks at each result."""

    def build(options: KindOptions) -> list[PhaseSpec]:
        return list(options.phases) or [PhaseSpec("picky"), PhaseSpec("last", gated=True)]

    kind = Kind(code="picky", label="Picky", build=build, default_threshold=80, check_result=mismatch)
    pipelines.register(kind)
    yield kind
    del pipelines._kinds["picky"]


def picky_job(number: int = 3) -> Job:
    job = pipeline(kind="picky")
    listed(job, number)
    tracking.announce(phase_of(job), expected=number, by=WORKER)
    return job


def test_a_registered_kind_brings_its_phases_and_its_threshold(picky: Kind) -> None:
    assert presets(picky_job()) == {
        "picky": (100, 80, "when_settled", "partial", False),
        "last": (100, 80, "when_settled", "partial", True),
    }
    assert ("picky", "Picky") in pipelines.choices()


def test_a_result_that_its_kind_refuses_is_invalid_and_changes_nothing(picky: Kind) -> None:
    job = picky_job()
    take(phase_of(job), 1)
    answer = tell(phase_of(job), "k0", "completed", attempt=1, result={"good": False})
    assert (answer.outcome, answer.status) == ("invalid", "processing")
    assert answer.detail == f"checksum_mismatch: {job.name} picky"
    assert phase_of(job).done == 0
    assert tell(phase_of(job), "k0", "completed", attempt=1, result={"good": True}).outcome == "applied"


def test_only_successes_are_checked(picky: Kind) -> None:
    phase = phase_of(picky_job())
    assert [tell(phase, "k0", status).outcome for status in ("processing", "pending", "failed")] == ["applied"] * 3


def test_a_repeated_success_is_not_checked_again(picky: Kind) -> None:
    phase = phase_of(picky_job())
    tell(phase, "k0", "completed", result={"good": True})
    assert tell(phase, "k0", "completed").outcome == "duplicate"


def test_the_fence_and_a_closed_phase_come_before_the_check(picky: Kind) -> None:
    job = picky_job()
    take(phase_of(job), 2)
    assert tell(phase_of(job), "k0", "completed", attempt=0).outcome == "stale"
    listed(job, 1, code="last")
    assert tell(phase_of(job, "last"), "k0", "completed").outcome == "closed"
    cancel(job, actor=None)
    assert tell(phase_of(job), "k0", "completed").outcome == "closed"


def test_one_refused_result_does_not_hold_up_the_others(picky: Kind) -> None:
    job = picky_job()
    results = [Result("k0", "completed"), Result("k1", "completed", result={"good": True})]
    assert outcomes(tracking.report(phase_of(job), results=results, by=WORKER)) == ["invalid", "applied"]
    assert phase_of(job).done == 1


def test_a_late_success_of_a_failed_item_is_checked_too(picky: Kind) -> None:
    job = picky_job()
    tell(phase_of(job), "k0", "failed")
    assert tell(phase_of(job), "k0", "completed").outcome == "invalid"
    assert retry(job, actor=None).changed == 1


def test_jobs_of_every_kind_live_side_by_side(picky: Kind) -> None:
    jobs = [make_job(items=1), pipeline(kind="vision"), picky_job()]
    assert [job.kind for job in jobs] == ["generic", "vision", "picky"]
