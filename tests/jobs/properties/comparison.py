"""The two sides of the comparison: the phase in the database and the phase of the model."""

from __future__ import annotations

from typing import Any

from jobs.models import Phase
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall, Trigger
from tests.jobs.properties.model import PaperPhase


def on_page(spec: PhaseSpec) -> PaperPhase:
    """Make the phase of a specification in the model."""
    return PaperPhase(
        code=spec.code,
        threshold=spec.threshold or 0,
        at_threshold=spec.trigger == Trigger.AT_THRESHOLD,
        fails=spec.on_shortfall == Shortfall.FAIL,
        gated=spec.gated,
        ttl=spec.watermark_ttl or 0,
        retries=spec.retries or 0,
        max_leased=spec.max_leased,
        expected=spec.expected,
        announced=spec.expected is not None,
    )


def told_of(phase: Phase) -> tuple[Any, ...]:
    """Return the compared columns of a phase in the database."""
    flags = (phase.listed, phase.announced, phase.forced, phase.partial)
    counts = (
        phase.expected,
        phase.items_total,
        phase.done,
        phase.failed,
        phase.skipped,
        phase.processing,
        phase.waiting,
    )
    times = (phase.deadline_at, phase.deadline_left)
    return (phase.run, str(phase.status), str(phase.completed_by), *flags, *counts, *times)


def told_on(page: PaperPhase) -> tuple[Any, ...]:
    """Return the same of a phase of the model."""
    flags = (page.listed, page.announced, page.forced, page.partial)
    outcomes = (page.number(status) for status in ("completed", "failed", "skipped", "processing"))
    return (page.run, page.status, page.completed_by, *flags, page.expected, len(page.items), *outcomes,
            len(page.waiting), page.deadline, page.left)  # fmt: skip
