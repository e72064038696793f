"""Types of fields, with the limits of their values. Requests are decoded into them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from jobs.rules.limits import (
    CODE_LENGTH,
    ERROR_LENGTH,
    HIGHEST_PRIORITY,
    KEY_LENGTH,
    LARGEST_INTEGER,
    LONGEST_RETRY_DELAY,
    LONGEST_SECONDS,
    LOWEST_PRIORITY,
    MOST_ITEMS,
    MOST_LEASED,
    MOST_RETRIES,
    NAME_LENGTH,
    PROJECT_LENGTH,
    REASON_LENGTH,
    SPLIT_LENGTH,
    TEMPLATE_LENGTH,
    VERSION_LENGTH,
    WORKER_LENGTH,
)

# Marks a field as a name: the decoder stores its normal form and refuses characters that no name may have.
NAME = {"is": "name"}

Number = Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
Percentage = Annotated[int, Meta(ge=0, le=100)]
Seconds = Annotated[int, Meta(ge=1, le=LONGEST_SECONDS)]
Retries = Annotated[int, Meta(ge=0, le=MOST_RETRIES)]
RetryDelay = Annotated[int, Meta(ge=1, le=LONGEST_RETRY_DELAY)]
RetryAfter = Annotated[int, Meta(ge=0, le=LONGEST_RETRY_DELAY)]
PriorityNumber = Annotated[int, Meta(ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY)]
MaxLeased = Annotated[int, Meta(ge=1, le=MOST_LEASED)]
Moment = Annotated[datetime, Meta(tz=True)]
Ids = Annotated[list[Number], Meta(max_length=MOST_ITEMS)]

Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH, pattern=r"\S", extra=NAME)]
Project = Annotated[str, Meta(max_length=PROJECT_LENGTH, extra=NAME)]
WorkerName = Annotated[str, Meta(min_length=1, max_length=WORKER_LENGTH, pattern=r"\S", extra=NAME)]
WorkerLabel = Annotated[str, Meta(max_length=WORKER_LENGTH, extra=NAME)]
Version = Annotated[
    str, Meta(max_length=VERSION_LENGTH, description="Version of the worker's program, such as ocr-1.4.2.")
]

Label = Annotated[str, Meta(max_length=NAME_LENGTH)]
Key = Annotated[str, Meta(min_length=1, max_length=KEY_LENGTH)]
Split = Annotated[str, Meta(max_length=SPLIT_LENGTH)]
Code = Annotated[str, Meta(min_length=1, max_length=CODE_LENGTH, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$(?!\n)")]
AnyCode = Annotated[str, Meta(max_length=CODE_LENGTH)]
Stage = Annotated[str, Meta(max_length=TEMPLATE_LENGTH)]
Sentence = Annotated[str, Meta(max_length=REASON_LENGTH)]
Signature = Annotated[str, Meta(max_length=ERROR_LENGTH)]
Blob = Annotated[dict[str, Any], Meta(description="Any JSON object of at most 16 KiB.")]
