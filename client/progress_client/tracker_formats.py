"""Arguments and return values of the tracker. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, Union

ALWAYS = ("train", "valid", "test")
MOST_PENDING = 10_000
ImagePath = Union[str, "os.PathLike[str]"]
COUNTS = ("total", "completed", "error", "pending", "processing")


class Status(str, Enum):
    """Status of an image or a batch."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR = "error"

    __str__ = str.__str__


# The tracker has no skipped status; a skipped image counts as completed.
STATUS_OF = {
    "pending": Status.PENDING,
    "processing": Status.PROCESSING,
    "completed": Status.COMPLETED,
    "skipped": Status.COMPLETED,
    "failed": Status.ERROR,
}
ITEM_STATUS_OF = {status: word for word, status in STATUS_OF.items() if word != "skipped"}


@dataclass
class Image:
    """An image (or a batch) on the server, and the worker that has leased it."""

    id: int
    key: str
    job: int
    phase: str
    worker: str = ""
    lost: bool = False
    renewed_at: float = 0.0
    percent: int | None = None
    percent_at: float = 0.0

    def give_back(self) -> None:
        """Do nothing: the tracker gives back its images in `close`."""


def new_images(paths: Sequence[ImagePath], splits: Sequence[str] | None) -> list[dict[str, Any]]:
    """Convert images to items. ValueError if there are fewer splits than paths."""
    if splits is not None and len(splits) < len(paths):
        raise ValueError(f"There are {len(paths)} image paths and {len(splits)} splits; give each image its split.")
    return [{"key": str(path), "split": "" if splits is None else str(splits[n])} for n, path in enumerate(paths)]


def first_due(pending: Iterable[Mapping[str, Any]], limit: object) -> list[Mapping[str, Any]]:
    """Return the first pending items that do not wait for their automatic retry: at most `limit`, or 10,000."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ValueError(f"The limit is {limit!r}; it must be a whole number of at least 1.")
    return list(islice(filter(_is_due, pending), min(limit, MOST_PENDING)))


def _is_due(item: Mapping[str, Any]) -> bool:
    at = item["available_at"]
    return at is None or datetime.fromisoformat(at.replace("Z", "+00:00")) <= datetime.now(timezone.utc)


def pending_row(item: Mapping[str, Any]) -> tuple[int, Path, str]:
    """Convert a pending item to (id, path, split)."""
    return item["id"], Path(item["key"]), item["split"]


def new_batch(batch_number: object, image_count: object, *, made_by: str) -> dict[str, Any]:
    """Convert a batch to an item; its key is its number."""
    for what, value in (("batch number", batch_number), ("image count", image_count)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"The {what} is {value!r}; it must be a whole number of at least 0.")
    payload = {"batch_number": batch_number, "image_count": image_count, "made_by": made_by}
    return {"key": str(batch_number), "label": f"Batch {batch_number}", "payload": payload}


def batch_row(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an item to a batch of the tracker."""
    numbers = {name: item["payload"].get(name) for name in ("batch_number", "image_count")}
    return {"id": item["id"], **numbers, "status": STATUS_OF[item["status"]].value, "error": item["error"]}


def figures(counts: Mapping[str, Any]) -> dict[str, int]:
    """Select the counts that a checkpoint stores."""
    return {
        "total": counts["total"],
        "processed": counts["processed"] + counts["skipped"],
        "error": counts["error"],
    }


def progress(job: Mapping[str, Any], stored: Mapping[str, int]) -> dict[str, Any]:
    """Build the tracker's progress of a job from its stored counts."""
    return {
        "job_id": job["id"],
        "name": job["name"],
        "total_images": stored["total"],
        "processed_count": stored["processed"],
        "error_count": stored["error"],
        "pending_count": max(0, stored["total"] - stored["processed"] - stored["error"]),
        "status": job["status"],
    }


def by_split(counted: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Convert the counts of each split; train, valid and test are always present."""
    answer = {split: dict.fromkeys(COUNTS, 0) for split in ALWAYS}
    for split, numbers in counted.items():
        row = answer.setdefault(split, dict.fromkeys(COUNTS, 0))
        for word, number in numbers.items():
            row["total"] += number
            row[STATUS_OF[word].value] += number
    return answer
