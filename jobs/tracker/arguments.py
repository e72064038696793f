"""Arguments of the tracker: its statuses, and the limits of names, paths and numbers. Wrong values are a ValueError."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from jobs.rules import names
from jobs.rules.errors import BadInput
from jobs.rules.limits import KEY_LENGTH, LARGEST_INTEGER, NAME_LENGTH, SPLIT_LENGTH
from jobs.rules.statuses import ItemStatus
from jobs.rules.strict_json import storable
from jobs.tracking import JobOptions, NewItem

UPLOAD = "upload"
SUFFIX = f"/{UPLOAD}"
MAX_LENGTHS = {"name": NAME_LENGTH - len(SUFFIX), "image path": KEY_LENGTH, "split": SPLIT_LENGTH}
MAX_PENDING = 10_000


class Status(StrEnum):
    """Status of an image or a batch, as the tracker names it."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR = "error"


# A skipped image counts as done work.
STATUS_OF = {
    ItemStatus.PENDING: Status.PENDING,
    ItemStatus.PROCESSING: Status.PROCESSING,
    ItemStatus.COMPLETED: Status.COMPLETED,
    ItemStatus.SKIPPED: Status.COMPLETED,
    ItemStatus.FAILED: Status.ERROR,
}


def new_images(paths: Sequence[str | os.PathLike[str]], splits: Sequence[str] | None) -> list[NewItem]:
    """Return the images as items; without splits theirs is empty."""
    if splits is not None and len(splits) < len(paths):
        raise ValueError(f"There are {len(paths)} image paths and {len(splits)} splits. Give one split for each image.")
    pairs = zip(paths, splits if splits is not None else [""] * len(paths), strict=False)
    return [
        NewItem(bounded(path, field="image path"), split=bounded(split, field="split", empty=True))
        for path, split in pairs
    ]


def job_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a new job as arguments of `tracking.create_job`; a failed image is not retried by default.

    ValueError names an unknown option, or one with a wrong value.
    """
    try:
        options = msgspec.convert({"retries": 0, **given}, JobOptions).options()
        options["deadlines"].check()
    except msgspec.ValidationError as error:
        sentence, _, path = str(error).partition(" - at `$.")
        raise ValueError(": ".join(filter(None, [path.rstrip("`"), f"{sentence}."]))) from error
    except BadInput as error:
        raise ValueError(error.detail) from error
    return options


def bounded(value: object, *, field: str, empty: bool = False) -> str:
    """Return a text within its limits that both databases can store; a name in its stored form."""
    given = names.plain(str(value)) if field == "name" else str(value)
    fault = fault_of(given, longest=MAX_LENGTHS[field], empty=empty)
    if fault:
        raise ValueError(f"The {field} {given[:80]!r} {fault}.")
    return name_of(given) if field == "name" else given


def name_of(given: str) -> str:
    """Return the name in its stored form; ValueError for a character that no name may have."""
    try:
        return names.clean(given, field="name")
    except BadInput as error:
        raise ValueError(f"The name {given[:80]!r} is not allowed: {error.errors['name']}") from error


def fault_of(given: str, *, longest: int, empty: bool = False) -> str:
    """Return the fault of a text, or an empty text."""
    if not empty and not given.strip():
        return "is empty"
    if len(given) > longest:
        return f"has more than {longest} characters"
    if "\0" in given or given.encode(errors="replace") != given.encode(errors="surrogatepass"):
        return "is not valid text"
    return ""


def sentence(error: object) -> str:
    """Return an error's text without characters that a database refuses."""
    return storable(str(error))


def pending_limit(limit: object) -> int:
    """Return the number of images that one fetch may return: at least 1, at most 10,000."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ValueError(f"Enter a limit of at least 1 as a whole number, not {limit!r}.")
    return min(limit, MAX_PENDING)


def number(value: object, *, field: str) -> int:
    """Return a whole number from 0 on; ValueError for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_INTEGER:
        raise ValueError(f"Enter the {field} as a whole number from 0 on, not {value!r}.")
    return value
