"""What the tracker takes and gives, in its own words. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union

ALWAYS = ("train", "valid", "test")
MOST_PENDING = 10_000
ImagePath = Union[str, "os.PathLike[str]"]
COUNTS = ("total", "completed", "error", "pending", "processing")


class Status(str, Enum):
    """Where an image or a batch stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR = "error"

    __str__ = str.__str__


# A skipped image counts as done work.
STATUS_OF = {
    "pending": Status.PENDING,
    "processing": Status.PROCESSING,
    "completed": Status.COMPLETED,
    "skipped": Status.COMPLETED,
    "failed": Status.ERROR,
}
WORD_OF = {status: word for word, status in STATUS_OF.items() if word != "skipped"}


@dataclass
class Image:
    """Where an image (or a batch) is on the server, and whose it is while it is held."""

    id: int
    key: str
    job: int
    phase: str
    worker: str = ""
    lost: bool = False
    renewed_at: float = 0.0

    def give_back(self) -> None:
        """The tracker gives back what it holds by itself."""


def new_images(paths: Sequence[ImagePath], splits: Sequence[str] | None) -> list[dict[str, Any]]:
    """Images as items; ValueError where there are fewer splits than paths."""
    if splits is not None and len(splits) < len(paths):
        raise ValueError(f"There are {len(paths)} image paths and {len(splits)} splits; give each image its split.")
    return [{"key": str(path), "split": "" if splits is None else str(splits[n])} for n, path in enumerate(paths)]


def pending_row(item: Mapping[str, Any]) -> tuple[int, Path, str]:
    """A pending image as the tracker lists it."""
    return item["id"], Path(item["key"]), item["split"]


def pending_limit(limit: object) -> int:
    """How many images one fetch may bring: at least 1, at most 10,000."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ValueError(f"The limit is {limit!r}; it must be a whole number of at least 1.")
    return min(limit, MOST_PENDING)


def new_batch(batch_number: object, image_count: object, *, made_by: str) -> dict[str, Any]:
    """A batch as an item; its key is its number."""
    for what, value in (("batch number", batch_number), ("image count", image_count)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"The {what} is {value!r}; it must be a whole number from 0 on.")
    payload = {"batch_number": batch_number, "image_count": image_count, "made_by": made_by}
    return {"key": str(batch_number), "label": f"Batch {batch_number}", "payload": payload}


def batch_row(item: Mapping[str, Any]) -> dict[str, Any]:
    """A batch as the tracker lists it."""
    numbers = {name: item["payload"].get(name) for name in ("batch_number", "image_count")}
    return {"id": item["id"], **numbers, "status": STATUS_OF[item["status"]].value, "error": item["error"]}


def figures(counts: Mapping[str, Any]) -> dict[str, int]:
    """What a checkpoint keeps of the live counts of a job."""
    return {
        "total": counts["total"],
        "processed": counts["processed"] + counts["skipped"],
        "error": counts["error"],
    }


def progress(job: Mapping[str, Any], kept: Mapping[str, int]) -> dict[str, Any]:
    """The tracker's progress of a job, with the figures that were kept."""
    return {
        "job_id": job["id"],
        "name": job["name"],
        "total_images": kept["total"],
        "processed_count": kept["processed"],
        "error_count": kept["error"],
        "pending_count": max(0, kept["total"] - kept["processed"] - kept["error"]),
        "status": job["status"],
    }


def by_split(counted: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """The counts of each split in the tracker's words; train, valid and test are always there."""
    answer = {split: dict.fromkeys(COUNTS, 0) for split in ALWAYS}
    for split, numbers in counted.items():
        row = answer.setdefault(split, dict.fromkeys(COUNTS, 0))
        for word, number in numbers.items():
            row["total"] += number
            row[STATUS_OF[word].value] += number
    return answer
