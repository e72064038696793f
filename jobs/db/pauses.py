"""Pauses of a loop between its transactions."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
LONGEST = 0.1


def with_pauses(values: Iterable[T]) -> Iterator[T]:
    """Yield the values; after each, let other writers of SQLite write for as long as the work on it took.

    SQLite gives its write lock to the writer that asks at the right moment, and a waiting writer asks every few
    milliseconds. A loop of transactions without a pause would block every other writer.
    """
    for value in values:
        begun = time.monotonic()
        yield value
        if connection.vendor == "sqlite":
            time.sleep(min(time.monotonic() - begun, LONGEST))
