"""What the tracker takes: its statuses, and the bounds of what callers give. Wrong values are a ValueError."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum

from jobs.rules import names
from jobs.rules.errors import BadInput
from jobs.rules.limits import KEY_LENGTH, LARGEST_INTEGER, NAME_LENGTH, SPLIT_LENGTH
from jobs.rules.statuses import ItemStatus
from jobs.rules.strict_json import storable
from jobs.tracking import NewItem

UPLOAD = "upload"
SUFFIX = f"/{UPLOAD}"
LONGEST = {"name": NAME_LENGTH - len(SUFFIX), "image path": KEY_LENGTH, "split": SPLIT_LENGTH}
MOST_PENDING = 10_000


class Status(StrEnum):
    """Where an image or a batch stands, in the tracker's words."""

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
    """The images as items; without splits theirs is empty."""
    if splits is not None and len(splits) < len(paths):
        raise ValueError(f"There are {len(paths)} image paths and {len(splits)} splits; give each image its split.")
    pairs = zip(paths, splits if splits is not None else [""] * len(paths), strict=False)
    return [
        NewItem(bounded(path, what="image path"), split=bounded(split, what="split", empty=True))
        for path, split in pairs
    ]


def bounded(value: object, *, what: str, empty: bool = False) -> str:
    """A text that both databases can keep, within its bounds; a name as it is stored."""
    given = names.plain(str(value)) if what == "name" else str(value)
    fault = fault_of(given, longest=LONGEST[what], empty=empty)
    if fault:
        raise ValueError(f"The {what} {given[:80]!r} {fault}.")
    return name_of(given) if what == "name" else given


def name_of(given: str) -> str:
    """The name as it is stored; ValueError for a character that no name may have."""
    try:
        return names.clean(given, field="name")
    except BadInput as error:
        raise ValueError(f"The name {given[:80]!r} is refused: {error.errors['name']}") from error


def fault_of(given: str, *, longest: int, empty: bool = False) -> str:
    """What is wrong with a text, or nothing."""
    if not empty and not given.strip():
        return "is empty"
    if len(given) > longest:
        return f"has more than {longest} characters"
    if "\0" in given or given.encode(errors="replace") != given.encode(errors="surrogatepass"):
        return "is not valid text"
    return ""


def sentence(error: object) -> str:
    """An error's text without what a database refuses."""
    return storable(str(error))


def pending_limit(limit: object) -> int:
    """How many images one fetch may bring: at least 1, at most 10,000."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ValueError(f"The limit is {limit!r}; it must be a whole number of at least 1.")
    return min(limit, MOST_PENDING)


def number(value: object, *, what: str) -> int:
    """A whole number from 0 on."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_INTEGER:
        raise ValueError(f"The {what} is {value!r}; it must be a whole number from 0 on.")
    return value
