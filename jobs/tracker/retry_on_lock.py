"""Retry of calls while the database is locked: four times, each wait twice as long, then the error is raised."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from time import sleep
from typing import ParamSpec, TypeVar

import structlog
from django.db import OperationalError, connection

from jobs.change import is_locked
from jobs.db import forks

P = ParamSpec("P")
R = TypeVar("R")

WAITS = (0.5, 1.0, 2.0, 4.0)
log = structlog.get_logger(__name__)


def retry_on_lock(call: Callable[P, R]) -> Callable[P, R]:
    """Retry a call while the database is locked: 5 tries, with waits of 0.5, 1, 2 and 4 seconds between them.

    Each try itself waits as long as the connection does (SQLite: the busy timeout). Inside a transaction
    of the caller there is one try, because only the caller can restart it. RuntimeError in a forked child
    that cannot use the database.
    """

    @wraps(call)
    def trying(*args: P.args, **kwargs: P.kwargs) -> R:
        forks.check()
        for wait in WAITS:
            try:
                return call(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not is_locked(error):
                    raise
                log.warning("tracker.locked", call=call.__name__, wait=wait)
            sleep(wait)
        return call(*args, **kwargs)

    return trying
