"""JSON over kept-alive connections, tried again while there is no answer."""

from __future__ import annotations

import http.client
import json
import logging
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

from progress_client import backoff, forks
from progress_client.errors import ProgressError, Unavailable, refusal

log = logging.getLogger(__name__)

RELEASE = "1.0.0"
TIMEOUT = 30.0
BASE = "/api/v1"
FOREVER = math.inf


class Trouble(Exception):
    """One try brought no answer; `asked` is how many seconds the server wants to be left alone."""

    def __init__(self, why: str, *, asked: float = 0.0) -> None:
        super().__init__(why)
        self.asked = asked


class Transport:
    """The calls of one client; any number of threads may share it, and each call has a connection to itself.

    `stop` ends the waiting between two tries.
    """

    def __init__(self, url: str, *, token: str, version: str = "", timeout: float = TIMEOUT) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ProgressError(f"{url!r} is no address; it looks like http://127.0.0.1:8000.")
        self._secure, self._netloc, self._base = parts.scheme == "https", parts.netloc, parts.path + BASE
        agent = f"progress_client/{RELEASE}" + (f" ({version})" if version else "")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": agent}
        self._timeout = timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._streams: set[http.client.HTTPConnection] = set()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        patience: float,
        stop: threading.Event | None = None,
    ) -> Any:
        """The decoded answer to a call below /api/v1; None for 204.

        While there is none it is tried again for `patience` seconds, then Unavailable is raised. Refused (and what
        is derived from it) where the server refuses.
        """
        raw = None if body is None else encode(body)
        deadline, tries = time.monotonic() + patience, 0
        while True:
            try:
                return self.once(method, path, raw)
            except Trouble as trouble:
                pause = backoff.pause(tries, asked=trouble.asked)
                left = deadline - time.monotonic()
                if pause > left or _waited(stop, pause, trouble):
                    raise Unavailable(f"{self.url} does not answer: {trouble}.") from trouble
            tries += 1

    def once(self, method: str, path: str, raw: bytes | None = None) -> Any:
        """One try. Trouble where another one may bring an answer."""
        reused = self._take()
        try:
            return self._exchange(reused or self._connect(self._timeout), method, path, raw)
        except (OSError, http.client.HTTPException) as error:
            if reused is None:
                raise Trouble(_words(error)) from error
        # The server may have closed a connection that was idle; that says nothing about the server.
        try:
            return self._exchange(self._connect(self._timeout), method, path, raw)
        except (OSError, http.client.HTTPException) as error:
            raise Trouble(_words(error)) from error

    @contextmanager
    def streaming(self, path: str, *, headers: dict[str, str], timeout: float) -> Iterator[http.client.HTTPResponse]:
        """An answer that is read bit by bit, over a connection of its own; `close` ends it."""
        connection = self._connect(timeout)
        self._streams.add(connection)
        try:
            connection.request("GET", self._base + path, headers={**self._headers, **headers})
            yield connection.getresponse()
        finally:
            self._streams.discard(connection)
            connection.close()

    def close(self) -> None:
        """Close the idle connections and end the streams."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        for stream in list(self._streams):
            with suppress(OSError, AttributeError):
                stream.sock.shutdown(socket.SHUT_RDWR)

    def after_fork(self) -> None:
        """Leave the parent's connections to the parent; this process opens its own."""
        self._lock = threading.Lock()
        self._idle, self._streams = [], set()
        for inherited in list(self._sockets):
            forks.silence(inherited)
        self._sockets = WeakSet()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        make = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = make(self._netloc, timeout=timeout)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._sockets.add(connection.sock)
        return connection

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _exchange(self, connection: http.client.HTTPConnection, method: str, path: str, raw: bytes | None) -> Any:
        """Send, receive, and keep the connection; whatever interrupts that closes it."""
        try:
            headers = self._headers if raw is None else {**self._headers, "Content-Type": "application/json"}
            connection.request(method, self._base + path, body=raw, headers=headers)
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return answer_of(response, content)


def answer_of(response: http.client.HTTPResponse, content: bytes) -> Any:
    """The decoded body. Trouble where it is worth another try, Refused where it is not."""
    status = response.status
    if status in backoff.TRY_AGAIN:
        raise Trouble(f"HTTP {status}", asked=backoff.retry_after(response.headers.get("Retry-After")))
    if status >= 300:
        raise refusal(status, decode(content))
    if status == http.client.NO_CONTENT:
        return None
    # An answer that was cut off within its headers looks like one without a body.
    body = decode(content)
    if body is None:
        raise Trouble("the answer is no JSON; is something between us and the server?")
    return body


def encode(body: Any) -> bytes:
    """JSON as the server takes it; ValueError for NaN and infinities, TypeError for what is no JSON."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def decode(content: bytes) -> Any:
    """The decoded body; None where it is not JSON."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def _waited(stop: threading.Event | None, pause: float, trouble: Trouble) -> bool:
    """Wait before the next try; True if somebody asked to stop."""
    log.warning("no answer (%s), next try in %.1f s", trouble, pause)
    if stop is None:
        time.sleep(pause)
        return False
    return stop.wait(pause)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
