"""JSON over kept-alive connections, tried again while there is no answer."""

from __future__ import annotations

import http.client
import json
import logging
import math
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Callable
from urllib.parse import urlsplit
from weakref import WeakSet

from progress_client import answers, backoff, forks
from progress_client.answers import decode
from progress_client.errors import CertificateError, ProgressError, Unavailable

log = logging.getLogger(__name__)

RELEASE = "1.0.0"
TIMEOUT = 30.0
BASE = "/api/v1"
FOREVER = math.inf
# Enough for any problem of the site; a longer page of a proxy is not read to its end.
LONGEST_PAGE = 64 * 1024
LONGEST_QUOTE = 200


class Trouble(Exception):
    """One try brought no answer of a Progress Site; another try may bring one.

    `asked` is how many seconds the server wants to be left alone, `status` the HTTP status of what came instead of
    an answer (0: nothing came).
    """

    def __init__(self, why: str, *, asked: float = 0.0, status: int = 0) -> None:
        super().__init__(why)
        self.asked, self.status = asked, status


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
        before: Callable[[], None] | None = None,
    ) -> Any:
        """Return the decoded answer to a call below /api/v1.

        While there is none it is tried again for `patience` seconds, then Unavailable is raised. Refused (and what
        is derived from it) where the server refuses. `before` is called ahead of every try.
        """
        raw = None if body is None else encode(body)
        deadline, tries = time.monotonic() + patience, 0
        while True:
            if before:
                before()
                if stop and stop.is_set():
                    raise Unavailable("The client was stopped.")
            try:
                return self.once(method, path, raw)
            except Trouble as trouble:
                pause = backoff.pause(tries, asked=trouble.asked)
                left = deadline - time.monotonic()
                if pause > left or _waited(stop, pause, trouble):
                    raise unavailable(self.url, trouble) from trouble
            tries += 1

    def once(self, method: str, path: str, raw: bytes | None = None) -> Any:
        """Make one try. Trouble where another one may bring an answer."""
        reused = self._take()
        if reused is not None:
            # The server may have closed a connection that was idle; that says nothing about the server.
            with suppress(OSError, http.client.HTTPException):
                return answer_of(*self._exchange(reused, method, path, raw), method=method, path=path)
        with self._as_trouble():
            response, content = self._exchange(self._connect(self._timeout), method, path, raw)
        return answer_of(response, content, method=method, path=path)

    @contextmanager
    def streaming(self, path: str, *, headers: dict[str, str], timeout: float) -> Iterator[http.client.HTTPResponse]:
        """An answer that is read bit by bit, over a connection of its own; `close` ends it."""
        with self._as_trouble():
            connection = self._connect(timeout)
        self._streams.add(connection)
        try:
            with self._as_trouble():
                connection.request("GET", self._base + path, headers={**self._headers, **headers})
                response = connection.getresponse()
            yield response
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

    @contextmanager
    def _as_trouble(self) -> Iterator[None]:
        """Raise what goes wrong on the network as Trouble, and an untrusted certificate as CertificateError."""
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise CertificateError(
                f"The certificate of {self.url} is not trusted ({error.verify_message}). Set SSL_CERT_FILE to the file"
                f" with the certificate of its authority, or correct the address or the server's certificate."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Trouble(_words(error)) from error

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, raw: bytes | None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send, receive, and keep the connection; whatever interrupts that closes it."""
        try:
            headers = self._headers if raw is None else {**self._headers, "Content-Type": "application/json"}
            connection.request(method, self._base + path, body=raw, headers=headers)
            response = connection.getresponse()
            content = response.read() if "json" in response.headers.get_content_type() else response.read(LONGEST_PAGE)
        except BaseException:
            connection.close()
            raise
        if response.will_close or not response.isclosed():
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return response, content


def unavailable(url: str, trouble: Exception) -> Unavailable:
    """The error when patience has ended."""
    text = str(trouble)
    return Unavailable(f"{url} does not answer: {text if text.endswith(('.', '?')) else f'{text}.'}")


def answer_of(response: http.client.HTTPResponse, content: bytes, *, method: str, path: str) -> Any:
    """Return the decoded body of an expected answer. Refused where the site refuses, Trouble for anything else."""
    status, body = response.status, decode(content)
    if 200 <= status < 300 and answers.is_expected(method, path, body):
        return body
    refused = answers.verdict(status, response.headers.get("Content-Type"), body)
    if refused and status not in backoff.TRY_AGAIN:
        raise refused
    asked = backoff.retry_after(response.headers.get("Retry-After"))
    raise Trouble(_described(response, body), asked=asked, status=status)


def _described(response: http.client.HTTPResponse, body: Any) -> str:
    """What came instead of an answer, for the log."""
    status, place = response.status, response.headers.get("Location")
    if 300 <= status < 400 and place:
        return f"HTTP {status} to {_quoted(place)}; is the address right?"
    if response.headers.get_content_type() == answers.PROBLEM and isinstance(body, dict) and body.get("detail"):
        return f"HTTP {status}: {_quoted(str(body['detail']))}"
    if status in backoff.TRY_AGAIN:
        return f"HTTP {status}"
    return f"HTTP {status}, and not from a Progress Site; is a proxy in between, or the address wrong?"


def _quoted(text: str) -> str:
    """Foreign text as a log may show it."""
    return "".join(character if character.isprintable() else "?" for character in text[:LONGEST_QUOTE])


def encode(body: Any) -> bytes:
    """JSON as the server takes it; ValueError for NaN and infinities, TypeError for what is no JSON."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def _waited(stop: threading.Event | None, pause: float, trouble: Trouble) -> bool:
    """Wait before the next try; True if somebody asked to stop."""
    log.warning("no answer (%s), next try in %.1f s", trouble, pause)
    if stop is None:
        time.sleep(pause)
        return False
    return stop.wait(pause)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
