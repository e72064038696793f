"""Live state of a job: server-sent events, resumed after a lost connection."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from progress_client import answers, backoff, forks
from progress_client.bodies import JobBody
from progress_client.errors import NotFound
from progress_client.transport import LONGEST_PAGE, RetryableError, Transport, answer_of, unavailable

# The server sends a comment at least every 15 seconds.
READ_TIMEOUT = 45.0
OVER = ("completed", "failed", "cancelled")
MEDIA_TYPE = "text/event-stream"
TOO_MANY, TOO_MANY_PAUSE = 4429, 30.0


def watch(transport: Transport, job: int, *, retry_for: float, stop: threading.Event) -> Iterator[JobBody]:
    """Yield the job's body now and after each change, until its last state. Rapid changes may be merged.

    NotFound if the job does not exist or was deleted. A lost connection is retried for `retry_for` seconds, then
    Unavailable.
    """
    last, process = "", os.getpid()
    tries, deadline = 0, time.monotonic() + retry_for
    while not stop.is_set():
        retry_after = 0.0
        try:
            for number, body in _stream(transport, job, last=last):
                last, tries, deadline = number, 0, time.monotonic() + retry_for
                yield body
                forks.check(process, "This watch() began", instead="call watch() here")
                if body["status"] in OVER:
                    return
            failure: Exception = RetryableError("the stream ended")
        except (RetryableError, OSError, ValueError, http.client.HTTPException) as error:
            failure, retry_after = error, getattr(error, "retry_after", 0.0)
        pause = backoff.pause(tries, retry_after=retry_after)
        if pause > deadline - time.monotonic():
            raise unavailable(transport.url, failure) from failure
        stop.wait(pause)
        tries += 1


def _stream(transport: Transport, job: int, *, last: str) -> Iterator[tuple[str, JobBody]]:
    """Yield the states from one connection, each with its event id."""
    headers = {"Accept": MEDIA_TYPE, **({"Last-Event-ID": last} if last else {})}
    with transport.streaming(f"/jobs/{job}/stream", headers=headers, timeout=READ_TIMEOUT) as response:
        if response.status == http.client.NO_CONTENT:
            yield from _current(transport, job)
            return
        if response.status != http.client.OK:
            answer_of(response, response.read(LONGEST_PAGE), method="GET", path=f"/jobs/{job}")
        if response.status != http.client.OK or response.headers.get_content_type() != MEDIA_TYPE:
            raise RetryableError(f"HTTP {response.status} without a stream of events", status=response.status)
        for kind, number, data in messages(iter(response.readline, b"")):
            if kind == "gone":
                raise NotFound(404, {"detail": f"Job {job} was deleted.", "code": "not_found"})
            if kind == "closing":
                raise _closed(data)
            yield from ((number, body) for body in _states(kind, data))


def _closed(data: Any) -> RetryableError:
    """Return the reason of the server. With too many connections of the account only a pause helps."""
    given = data if isinstance(data, dict) else {}
    pause = TOO_MANY_PAUSE if given.get("code") == TOO_MANY else 0.0
    return RetryableError(f"the server closed the stream: {given.get('reason', '')}", retry_after=pause)


def _states(kind: str, data: Any) -> list[JobBody]:
    """Return the job bodies of a message; none for other kinds of messages."""
    if kind not in ("snapshot", "job"):
        return []
    found = data.get("jobs" if kind == "snapshot" else "job") if isinstance(data, dict) else None
    bodies: list[Any] = found if isinstance(found, list) else [found]
    if not all(answers.fits(body, answers.JOB) for body in bodies):
        raise RetryableError("the stream is not from a Progress Site")
    return bodies


def _current(transport: Transport, job: int) -> Iterator[tuple[str, JobBody]]:
    """Fetch the state of a finished job, whose stream is empty."""
    body = transport.once("GET", f"/jobs/{job}")
    yield str(body["revision"]), body


def messages(lines: Iterable[bytes]) -> Iterator[tuple[str, str, Any]]:
    """Parse server-sent events: (event, id, data) of each complete message, without comments."""
    found: dict[str, str] = {}
    data: list[str] = []
    for raw in lines:
        text = raw.decode().rstrip("\r\n")
        if not text and data:
            yield found.get("event", "message"), found.get("id", ""), json.loads("\n".join(data))
        if not text:
            found, data = {}, []
            continue
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        else:
            found[name] = value
