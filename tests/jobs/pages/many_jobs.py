"""Very many jobs at once, for lists that must stay quick."""

from __future__ import annotations

from jobs.models import Job, Phase
from tests.factories import make_job, phase_of

JOB = ("kind", "status", "created_at", "updated_at", "watched_from")
PHASE = ("code", "status", "position", "stage", "threshold", "trigger", "on_shortfall", "weight", "watermark_ttl")


def make_crowd(number: int) -> None:
    """Create pending jobs with one phase, named crowd-0 and so on, without events."""
    model = make_job(name="crowd-0", items=1)
    phase = phase_of(model)
    given = {name: getattr(model, name) for name in JOB}
    jobs = Job.objects.bulk_create([Job(name=f"crowd-{n}", **given) for n in range(1, number)], batch_size=1000)
    given = {name: getattr(phase, name) for name in PHASE}
    Phase.objects.bulk_create([Phase(job=job, expected=1, **given) for job in jobs], batch_size=1000)
