"""Bringing a job of the old tracker in. Doing it again changes nothing, and goes on where it was cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Count

from jobs import tracking
from jobs.change import Actor
from jobs.models import Item, Phase
from jobs.rules import names, pipelines
from jobs.rules.limits import LARGEST_INTEGER
from jobs.rules.pipelines import KindOptions
from jobs.rules.statuses import ItemStatus
from jobs.tracker import checkpoints, uploads
from jobs.tracker.arguments import LONGEST, fault_of, sentence
from jobs.tracker.legacy_db import OldFile, OldJob, OldRow
from jobs.tracking import NewItem, Result

T = TypeVar("T")
BY = Actor(name="import_tracker")
AT_ONCE = 5000
LONGEST_TIME = 100


@dataclass(slots=True)
class Imported:
    """What the file says of a job and what is here: images and batches by status, and what was left out and why.

    Without a name of its own (`is_named`) the whole job is left out.
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
        """Is everything here as the file says?"""
        return (self.images, self.batches, self.left_out) == (self.images_here, self.batches_here, [])


def survey(file: OldFile, job: OldJob) -> Imported:
    """What the file says of a job, and what of it cannot be brought in. Unreadable where its rows are damaged."""
    found = Imported(job, file.image_counts(job), file.batch_counts(job))
    fault = fault_of(job.name.strip(), longest=LONGEST["name"]) or names.fault_of(job.name)
    if fault:
        found.left_out.append(f"Job {job.id} is left out: its name {job.name[:40]!a} {fault}.")
        found.is_named = False
        return found
    found.job = job = replace(job, name=names.plain(job.name))
    for row in file.images(job):
        fault = fault_of(row.key, longest=LONGEST["image path"])
        if fault:
            found.left_out.append(f"{job.name}: an image is left out: its path {row.key[:40]!a} {fault}.")
    for row in file.batches(job):
        if not _is_batch(row):
            found.left_out.append(f"{job.name}: a batch is left out: {row.key[:40]!a} is no batch number.")
    return found


def bring_in(file: OldFile, found: Imported) -> None:
    """Create the job or find it, add what it lacks, report what the file says, and count what is here then.

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
    """The phase with every image listed. It expects all of them from the first on, so it cannot finish before."""
    total = sum(1 for _ in _images(file, job))
    portions = _portions(map(_new_image, _images(file, job)))
    [spec] = pipelines.get("generic").build(KindOptions())
    made = tracking.create_job(
        name=job.name,
        metadata={"imported": {"id": job.id, "created_at": _time(job.created_at), "updated_at": _time(job.updated_at)}},
        phases=[replace(spec, expected=total)],
        items=next(portions, []),
        reopen=True,
        by=BY,
    )
    phase: Phase = made.job.phases.order_by("position")[0]
    for portion in portions:
        tracking.add_items(phase, items=portion, reopen=True, by=BY)
    return phase


def _report(phase: Phase, rows: Iterable[OldRow]) -> None:
    """Tell what became of the rows; what has been worked on here since is not undone."""
    settled = (_result(row) for row in rows if row.status != ItemStatus.PENDING)
    for portion in _portions(settled):
        tracking.report(phase, results=portion, leased=False, by=BY)


def _result(row: OldRow) -> Result:
    done = row.status == ItemStatus.COMPLETED
    kept = {"processed_at": _time(row.at)} if row.at and row.status != ItemStatus.PROCESSING else {}
    return Result(row.key, row.status, attempt=None if done else 0, error=sentence(row.error), result=kept)


def _images(file: OldFile, job: OldJob) -> Iterator[OldRow]:
    return (row for row in file.images(job) if not fault_of(row.key, longest=LONGEST["image path"]))


def _new_image(row: OldRow) -> NewItem:
    return NewItem(row.key, split=sentence(row.split)[: LONGEST["split"]])


def _new_batch(row: OldRow) -> NewItem:
    return uploads.new_batch(int(row.key), row.count if _is_number(row.count) else 0)


def _time(at: str | None) -> str | None:
    """A time as the file has it: any text, without what a database refuses."""
    return None if at is None else sentence(at)[:LONGEST_TIME]


def _is_batch(row: OldRow) -> bool:
    return row.key.isascii() and row.key.isdigit() and len(row.key) <= 15


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= LARGEST_INTEGER


def _counted(phase: Phase) -> Counter[ItemStatus]:
    """The items that are here by status, a skipped one as completed."""
    found: Counter[ItemStatus] = Counter()
    rows = Item.objects.filter(phase=phase).order_by().values_list("status").annotate(number=Count("pk"))
    for status, number in rows:
        found[ItemStatus.COMPLETED if status == ItemStatus.SKIPPED else ItemStatus(status)] += number
    return found


def _portions(values: Iterator[T] | Iterable[T]) -> Iterator[list[T]]:
    stream = iter(values)
    while portion := list(islice(stream, AT_ONCE)):
        yield portion
