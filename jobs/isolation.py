"""Isolation of failures in passes over many rows: a row that fails is set aside, and the pass continues.

Each failure is logged as `row_set_aside` with the step and the ids of the row, and counted in the database, because the
process that fails may have no address for metrics. Errors of an unreachable database are raised: every row would fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from jobs.db import bulk_sql
from jobs.models import RowFailure

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger(__name__)


@contextmanager
def isolated(step: str, **ids: object) -> Iterator[None]:
    """Run the work on one row; set the row aside if it fails."""
    try:
        yield
    except Exception as error:
        set_aside(error, step=step, **ids)


def set_aside(error: Exception, *, step: str, **ids: object) -> None:
    """Log and count the failure of one row; raise it if the database does not answer."""
    if is_away(error):
        raise error
    log.error("row_set_aside", step=step, **ids, exc_info=error)
    with suppress(DatabaseError, InterfaceError), transaction.atomic():
        row = (step, 1, timezone.now())
        fields = ("step", "number", "failed_at")
        bulk_sql.insert(RowFailure, [row], fields=fields, conflict=("step",), add=["number"], replace=["failed_at"])


def in_halves(work: Callable[[Sequence[T]], Iterable[R]], values: Sequence[T], *, step: str, name: str) -> list[R]:
    """Return the results of one call with all values. If it fails, halve them until the failing ones are alone.

    `name` is the name of a value in the log.
    """
    try:
        return list(work(values))
    except Exception as error:
        if len(values) == 1 or is_away(error):
            set_aside(error, step=step, **{name: values[0]})
            return []
    middle = len(values) // 2
    return [part for half in (values[:middle], values[middle:]) for part in in_halves(work, half, step=step, name=name)]


def is_away(error: Exception) -> bool:
    """Return whether this error comes from a database that does not answer, and not from one row."""
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        return True
    return False
