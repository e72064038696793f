"""Replies to calls: from the writer's thread back to the event loops of the requests that wait for them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from django.db import InterfaceError, OperationalError

from jobs.api.worker_calls import WorkerCall
from jobs.models import Phase
from jobs.serializers import encode, phase_body
from jobs.tracking.calls import Answer, Call
from jobs.tracking.writer import Answered, Busy, Writer

log = structlog.get_logger(__name__)

DATABASE_ERRORS = (OperationalError, InterfaceError)
BUSY_SECONDS = 1.0
JSON = (b"Content-Type", b"application/json")
Waiting = tuple[WorkerCall, "asyncio.Future[Reply | None]"]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request, without the headers that every answer has."""

    body: bytes
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=lambda: [JSON])


class ReplyQueue:
    """The requests that wait for the writer."""

    def __init__(self, unavailable: Callable[[Exception], Reply]) -> None:
        self._unavailable = unavailable
        self._waiting: dict[Call, Waiting] = {}
        self._writer = Writer(self._deliver)
        self._busy: tuple[float, Reply] = (0.0, Reply(b""))

    async def ask(self, kind: WorkerCall, call: Call, *, size: int) -> Reply | None:
        """Make the call; None where the view must answer it."""
        future: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._waiting[call] = kind, future
        try:
            self._writer.submit(call, size=size)
        except Busy as busy:
            del self._waiting[call]
            return self._refused(busy)
        return await future

    def _refused(self, busy: Busy) -> Reply:
        """Return the refusal where too many calls wait. It is made, and logged, once a second."""
        until, reply = self._busy
        if until < time.monotonic():
            reply = self._unavailable(busy)
            self._busy = time.monotonic() + BUSY_SECONDS, reply
        return reply

    def _deliver(self, answered: Answered) -> None:
        """Encode the answers, and hand them to the event loops, once to each."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Reply | None], Reply | None]]]
        loops = defaultdict(list)
        encoder = _Encoder(self._unavailable)
        for call, answer in answered:
            kind, future = self._waiting.pop(call)
            loops[future.get_loop()].append((future, encoder.reply(kind, answer)))
        for loop, replies in loops.items():
            try:
                loop.call_soon_threadsafe(_resolve, replies)
            except RuntimeError:  # the loop was closed
                log.info("loop_closed", replies=len(replies))


class _Encoder:
    """Encoder of the answers of one transaction. The body of a phase is made once for all of them."""

    def __init__(self, unavailable: Callable[[Exception], Reply]) -> None:
        self._unavailable = unavailable
        self._phases: dict[int, msgspec.Raw] = {}
        self._errors: dict[int, Reply] = {}

    def reply(self, kind: WorkerCall, answer: Answer) -> Reply | None:
        """Return the reply to an answer; None for a refusal or a defect, which the view answers."""
        try:
            return self._encoded(kind, answer)
        except Exception as error:
            log.exception("answer_not_encoded", call=kind.name)
            return self._failed(error)

    def _encoded(self, kind: WorkerCall, answer: Answer) -> Reply | None:
        if isinstance(answer, BaseException):
            return self._failed(answer)
        phase = kind.phase(answer)
        body = encode(kind.body(answer, self._phase(phase) if phase else None))
        extra = kind.headers(answer)
        if not extra:
            return Reply(body)
        return Reply(body, headers=[JSON, *((name.encode(), value.encode()) for name, value in extra.items())])

    def _phase(self, phase: Phase) -> msgspec.Raw:
        if phase.pk not in self._phases:
            self._phases[phase.pk] = msgspec.Raw(encode(phase_body(phase)))
        return self._phases[phase.pk]

    def _failed(self, error: BaseException) -> Reply | None:
        if not isinstance(error, DATABASE_ERRORS):
            return None
        if id(error) not in self._errors:
            self._errors[id(error)] = self._unavailable(error)
        return self._errors[id(error)]


def _resolve(replies: list[tuple[asyncio.Future[Any], Reply | None]]) -> None:
    for future, reply in replies:
        if not future.done():  # else the client has left
            future.set_result(reply)
