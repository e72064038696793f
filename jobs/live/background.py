"""Background steps of an event loop that continue after every failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)

FAILURE_PAUSE = 2.0


async def repeat(step: Callable[[], Awaitable[None]]) -> None:
    """Repeat forever. While the database is down, the first failure is logged."""
    is_failing = False
    while True:
        try:
            await step()
        except Exception as error:
            if not is_failing:
                log.exception("live_step_failed", error=repr(error))
            is_failing = True
            await asyncio.sleep(FAILURE_PAUSE)
        else:
            is_failing = False
