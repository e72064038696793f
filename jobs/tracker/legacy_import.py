"""Import of a job of the old tracker. A repetition changes nothing, and continues an interrupted import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

import msgspec
from django.db.models import Count

from jobs import tracking
from jobs.change import Actor
from jobs.models import Item, Phase
from jobs.rules import names, pipelines
from jobs.rules.limits import LARGEST_INTEGER
from jobs.rules.pipelines import KindOptions
from jobs.rules.statuses import ItemStatus
from jobs.tracker import checkpoints, uploads
from jobs.tracker.arguments import MAX_LENGTHS, fault_of, sentence
from jobs.tracker.legacy_db import OldFile, OldJob, OldRow
from jobs.tracking import NewItem, Result

T = TypeVar("T")
BY = Actor(name="import_tracker")
BATCH_SIZE = 5000
MAX_TIME_LENGTH = 100


@dataclass(slots=True)
class Imported:
    """Counts of a job by status, in the file and on this site, and a sentence for each row that was left out.

    A job without a usable name of its own (`is_named`) is left out.
    """

    job: OldJob
    images: Counter[ItemStatus]
    batches: Counter[ItemStatus]
    images_here: Counter[ItemStatus] = field(default_factory=Counter)
    batches_here: Counter[ItemStatus] = field(default_factory=Counter)
    left_out: list[str] = field(default_factory=list)
    is_named: bool = True

    @property
    def is_equal(self) -> bool:
        """Do the counts of this site equal those of the file?"""
        return (self.images, self.batches, self.left_out) == (self.images_here, self.batches_here, [])


def survey(file: OldFile, job: OldJob) -> Imported:
    """Count a job's rows in the file and note what cannot be imported. Unreadable if its rows are damaged."""
    found = Imported(job, file.image_counts(job), file.batch_counts(job))
    fault = fault_of(job.name.strip(), longest=MAX_LENGTHS["name"]) or names.fault_of(job.name)
    if fault:
        found.left_out.append(f"Job {job.id} is left out: its name {job.name[:40]!a} {fault}.")
        found.is_named = False
        return found
    found.job = job = replace(job, name=names.plain(job.name))
    for row in file.images(job):
        fault = fault_of(row.key, longest=MAX_LENGTHS["image path"])
        if fault:
            found.left_out.append(f"{job.name}: an image is left out: its path {row.key[:40]!a} {fault}.")
    for row in file.batches(job):
        if not _is_batch(row):
            found.left_out.append(f"{job.name}: a batch is left out: {row.key[:40]!a} is not a batch number.")
    return found


def bring_in(file: OldFile, found: Imported) -> None:
    """Create or find the job, add missing items, report the statuses of the file, and count the result.

    Refused as `tracking.create_job` refuses.
    """
    job = found.job
    phase = _list_images(file, job)
    _report(phase, _images(file, job))
    checkpoints.take(phase.job_id, worker=BY.name)
    found.images_here = _counted(phase)
    batches = [replace(row, key=str(int(row.key))) for row in file.batches(job) if _is_batch(row)]
    if batches:
        upload = uploads.add(phase.job, [_new_batch(row) for row in batches], worker=BY.name)
        _report(upload, batches)
        found.batches_here = _counted(upload)


def _list_images(file: OldFile, job: OldJob) -> Phase:
    """Create the phase with every image. It expects all of them at once, so it cannot finish before the end."""
    total = sum(1 for _ in _images(file, job))
    portions = _portions(map(_new_image, _images(file, job)))
    [spec] = pipelines.get("generic").build(KindOptions())
    made = tracking.create_job(
        retries=0,
        name=job.name,
        metadata={"imported": {"id": job.id, "created_at": _time(job.created_at), "updated_at": _time(job.updated_at)}},
        phases=[msgspec.structs.replace(spec, expected=total)],
        items=next(portions, []),
        reopen=True,
        by=BY,
    )
    phase: Phase = made.job.phases.order_by("position")[0]
    for portion in portions:
        tracking.add_items(phase, items=portion, reopen=True, by=BY)
    return phase


def _report(phase: Phase, rows: Iterable[OldRow]) -> None:
    """Report the statuses of the rows. Items that were settled on this site since stay as they are."""
    settled = (_result(row) for row in rows if row.status != ItemStatus.PENDING)
    for portion in _portions(settled):
        tracking.report(phase, results=portion, leased=False, by=BY)


def _result(row: OldRow) -> Result:
    done = row.status == ItemStatus.COMPLETED
    kept = {"processed_at": _time(row.at)} if row.at and row.status != ItemStatus.PROCESSING else {}
    return Result(row.key, row.status, attempt=None if done else 0, error=sentence(row.error), result=kept)


def _images(file: OldFile, job: OldJob) -> Iterator[OldRow]:
    return (row for row in file.images(job) if not fault_of(row.key, longest=MAX_LENGTHS["image path"]))


def _new_image(row: OldRow) -> NewItem:
    return NewItem(row.key, split=sentence(row.split)[: MAX_LENGTHS["split"]])


def _new_batch(row: OldRow) -> NewItem:
    return uploads.new_batch(int(row.key), row.count if _is_number(row.count) else 0)


def _time(at: str | None) -> str | None:
    """Return a time as text, without characters that a database refuses."""
    return None if at is None else sentence(at)[:MAX_TIME_LENGTH]


def _is_batch(row: OldRow) -> bool:
    return row.key.isascii() and row.key.isdigit() and len(row.key) <= 15


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= LARGEST_INTEGER


def _counted(phase: Phase) -> Counter[ItemStatus]:
    """Count the items of this site by status; skipped ones count as completed."""
    found: Counter[ItemStatus] = Counter()
    rows = Item.objects.filter(phase=phase).order_by().values_list("status").annotate(number=Count("pk"))
    for status, number in rows:
        found[ItemStatus.COMPLETED if status == ItemStatus.SKIPPED else ItemStatus(status)] += number
    return found


def _portions(values: Iterator[T] | Iterable[T]) -> Iterator[list[T]]:
    stream = iter(values)
    while portion := list(islice(stream, BATCH_SIZE)):
        yield portion
