"""The state of a job as it changes: server-sent events, taken up again after a break."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from progress_client import answers, backoff, forks
from progress_client.errors import NotFound
from progress_client.transport import LONGEST_PAGE, Transport, Trouble, answer_of, unavailable

# The server says something every 15 seconds.
SILENCE = 45.0
OVER = ("completed", "failed", "cancelled")
MEDIA_TYPE = "text/event-stream"

Body = dict[str, Any]


def watch(transport: Transport, job: int, *, patience: float, stop: threading.Event) -> Iterator[Body]:
    """The job's body now and after every change, the newest only where many come at once; the last one is its end.

    NotFound where there is no such job, or no longer. A break is bridged for `patience` seconds, then Unavailable.
    """
    last, process = "", os.getpid()
    tries, deadline = 0, time.monotonic() + patience
    while not stop.is_set():
        asked = 0.0
        try:
            for number, body in _stream(transport, job, last=last):
                last, tries, deadline = number, 0, time.monotonic() + patience
                yield body
                forks.check(process, "This watch() began", instead="call watch() here")
                if body["status"] in OVER:
                    return
            trouble: Exception = Trouble("the stream ended")
        except (Trouble, OSError, ValueError, http.client.HTTPException) as error:
            trouble, asked = error, getattr(error, "asked", 0.0)
        pause = backoff.pause(tries, asked=asked)
        if pause > deadline - time.monotonic():
            raise unavailable(transport.url, trouble) from trouble
        stop.wait(pause)
        tries += 1


def _stream(transport: Transport, job: int, *, last: str) -> Iterator[tuple[str, Body]]:
    """The states that one connection brings, each with its id."""
    headers = {"Accept": MEDIA_TYPE, **({"Last-Event-ID": last} if last else {})}
    with transport.streaming(f"/jobs/{job}/stream", headers=headers, timeout=SILENCE) as response:
        if response.status == http.client.NO_CONTENT:
            yield from _current(transport, job)
            return
        if response.status != http.client.OK:
            answer_of(response, response.read(LONGEST_PAGE), method="GET", path=f"/jobs/{job}")
        if response.status != http.client.OK or response.headers.get_content_type() != MEDIA_TYPE:
            raise Trouble(f"HTTP {response.status} without a stream of events", status=response.status)
        for kind, number, data in messages(iter(response.readline, b"")):
            if kind == "gone":
                raise NotFound(404, {"detail": f"There is no job {job} any more.", "code": "not_found"})
            yield from ((number, body) for body in _states(kind, data))


def _states(kind: str, data: Any) -> list[Body]:
    """The job bodies of a message; none in a message of another kind."""
    if kind not in ("snapshot", "job"):
        return []
    found = data.get("jobs" if kind == "snapshot" else "job") if isinstance(data, dict) else None
    bodies: list[Any] = found if isinstance(found, list) else [found]
    if not all(answers.fits(body, answers.JOB) for body in bodies):
        raise Trouble("the stream is not that of a Progress Site")
    return bodies


def _current(transport: Transport, job: int) -> Iterator[tuple[str, Body]]:
    """The state of a job that is over: its stream has nothing to say."""
    body = transport.once("GET", f"/jobs/{job}")
    yield str(body["revision"]), body


def messages(lines: Iterable[bytes]) -> Iterator[tuple[str, str, Any]]:
    """(event, id, data) of each whole message; comments are passed over."""
    found: dict[str, str] = {}
    for raw in lines:
        text = raw.decode().rstrip("\r\n")
        if not text and "data" in found:
            yield found.get("event", "message"), found.get("id", ""), json.loads(found["data"])
        if not text:
            found = {}
            continue
        name, _, value = text.partition(":")
        value = value[1:] if value.startswith(" ") else value
        found[name] = f"{found[name]}\n{value}" if name == "data" and name in found else value
