"""Upload batches: items of the phase `upload` of a second job, `<name>/upload`."""

from __future__ import annotations

from typing import Any

from jobs import tracking
from jobs.change import Actor, unit_of_work
from jobs.models import Item, Job, Phase
from jobs.models.items import digest
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import ItemStatus
from jobs.tracker.arguments import STATUS_OF, SUFFIX, UPLOAD, number
from jobs.tracking import NewItem

SPEC = PhaseSpec(code=UPLOAD, label="Upload", stage="Uploading batch {done}/{expected}")
WAITING = (ItemStatus.PENDING, ItemStatus.PROCESSING, ItemStatus.FAILED)
UPLOADED = (ItemStatus.COMPLETED, ItemStatus.SKIPPED)


def new_batch(batch_number: int, image_count: int) -> NewItem:
    """Return a batch as an item; its key is its number."""
    number(batch_number, field="batch number")
    number(image_count, field="image count")
    payload = {"batch_number": batch_number, "image_count": image_count}
    return NewItem(str(batch_number), label=f"Batch {batch_number}", payload=payload)


def create(job_id: int, batch: NewItem, *, worker: str) -> int:
    """Add a batch to a job of images; return its id. ValueError for an unknown job and for a number in use."""
    with unit_of_work():
        # The lock of the images' job makes the second of two batches with the same number fail.
        job = Job.objects.select_for_update(no_key=True).filter(pk=job_id).first()
        if job is None:
            raise ValueError(f"There is no job {job_id}.")
        if found(job_id, batch.key) is not None:
            raise ValueError(f"Job {job.name} already has a batch {batch.key}. Choose another batch number.")
        add(job, [batch], worker=worker)
        made = found(job_id, batch.key)
    assert made is not None
    return made


def add(job: Job, batches: list[NewItem], *, worker: str) -> Phase:
    """Return the phase of the upload job, with these batches added; new ones start a new run of a finished job."""
    made = tracking.create_job(
        retries=0,
        name=f"{job.name}{SUFFIX}",
        project=job.project,
        phases=[SPEC],
        items=batches,
        reopen=True,
        by=Actor(name=worker),
    )
    return made.job.phases.get(code=UPLOAD)


def found(job_id: int, key: str) -> int | None:
    """Return the id of the batch with this key, or None."""
    phase = phase_of(job_id)
    if phase is None:
        return None
    return Item.objects.keyed([phase.pk], [digest(key)]).values_list("pk", flat=True).first()


def phase_of(job_id: int) -> Phase | None:
    """Return the upload phase of a job of images, or None."""
    name = Job.objects.filter(pk=job_id).values_list("name", flat=True).first()
    return None if name is None else Phase.objects.filter(job__name=f"{name}{SUFFIX}", code=UPLOAD).first()


def listed(job_id: int, *, uploaded: bool) -> list[dict[str, Any]]:
    """Return the batches that are uploaded, or those that are not; one in error can be tried again."""
    phase = phase_of(job_id)
    if phase is None:
        return []
    chosen = phase.items.filter(status__in=UPLOADED if uploaded else WAITING).order_by("pk")
    return [_row(batch) for batch in chosen]


def _row(batch: Item) -> dict[str, Any]:
    return {
        "id": batch.pk,
        "batch_number": batch.payload.get("batch_number"),
        "image_count": batch.payload.get("image_count"),
        "status": STATUS_OF[ItemStatus(batch.status)],
        "error": batch.error,
    }
