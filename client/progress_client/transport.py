"""HTTP transport: JSON over persistent connections, with retries."""

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
from progress_client.route import Certificates, Route

log = logging.getLogger(__name__)

RELEASE = "1.0.0"
TIMEOUT = 30.0
BASE = "/api/v1"
RETRY_FOREVER = math.inf
# Enough for any problem of the site. A longer page of a proxy is not read to its end.
LONGEST_PAGE = 64 * 1024
LONGEST_QUOTE = 200


class RetryableError(Exception):
    """A request without a valid response of a Progress Site; another try may succeed.

    `retry_after` is the server's Retry-After in seconds. `status` is the HTTP status of the invalid response, 0 if
    there was none.
    """

    def __init__(self, why: str, *, retry_after: float = 0.0, status: int = 0) -> None:
        super().__init__(why)
        self.retry_after, self.status = retry_after, status


class Transport:
    """HTTP requests of one client, safe for threads: each request has its own connection."""

    def __init__(
        self, url: str, *, token: str, version: str = "", timeout: float = TIMEOUT, ca: Certificates = None
    ) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ProgressError(f"Enter a valid URL instead of {url!r}, such as http://127.0.0.1:8000.")
        self._route = Route(parts, ca=ca)
        self._base = self._route.prefix + parts.path + BASE
        agent = f"progress_client/{RELEASE}" + (f" ({version})" if version else "")
        own = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": agent}
        self._headers = {**own, **self._route.headers}
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
        retry_for: float,
        stop: threading.Event | None = None,
        before: Callable[[], None] | None = None,
    ) -> Any:
        """Make a request below /api/v1 and return the decoded response.

        Failures are retried for `retry_for` seconds, then Unavailable is raised. Refused (or a subclass) if the site
        rejects the request. `stop` ends the wait between two tries. `before` is called before every try.
        """
        raw = None if body is None else encode(body)
        deadline, tries = time.monotonic() + retry_for, 0
        while True:
            if before:
                before()
                if stop and stop.is_set():
                    raise Unavailable("The client was stopped.")
            try:
                return self.once(method, path, raw)
            except RetryableError as failure:
                pause = backoff.pause(tries, retry_after=failure.retry_after)
                left = deadline - time.monotonic()
                if pause > left or _waited(stop, pause, failure):
                    raise unavailable(self.url, failure) from failure
            tries += 1

    def once(self, method: str, path: str, raw: bytes | None = None) -> Any:
        """Make a request without retries. RetryableError if another try may succeed."""
        reused = self._take()
        if reused is not None:
            # The server may have closed an idle connection. That is no failure of the server.
            with suppress(OSError, http.client.HTTPException):
                return answer_of(*self._exchange(reused, method, path, raw), method=method, path=path)
        with self._network_errors_as_retryable():
            response, content = self._exchange(self._connect(self._timeout), method, path, raw)
        return answer_of(response, content, method=method, path=path)

    @contextmanager
    def streaming(self, path: str, *, headers: dict[str, str], timeout: float) -> Iterator[http.client.HTTPResponse]:
        """Open a streamed response over its own connection; `close` ends it."""
        with self._network_errors_as_retryable():
            connection = self._connect(timeout)
        self._streams.add(connection)
        try:
            with self._network_errors_as_retryable():
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
        """Drop the parent's connections in a forked child, without closing them."""
        self._lock = threading.Lock()
        self._idle, self._streams = [], set()
        for inherited in list(self._sockets):
            forks.silence(inherited)
        self._sockets = WeakSet()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        connection = self._route.connection(timeout)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._sockets.add(connection.sock)
        return connection

    @contextmanager
    def _network_errors_as_retryable(self) -> Iterator[None]:
        """Convert network errors to RetryableError, and an untrusted certificate to CertificateError."""
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise CertificateError(
                f"The certificate of {self.url} is not trusted ({error.verify_message}). Set PROGRESS_CA or ca= to the"
                f" file with the certificate of its authority, or correct the address or the server's certificate."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise RetryableError(f"{str(error) or type(error).__name__}{self._route.through}") from error

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, raw: bytes | None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request, read the response and keep the connection; close it after any error."""
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


def unavailable(url: str, failure: Exception) -> Unavailable:
    """Create the error that ends the retries."""
    text = str(failure)
    return Unavailable(f"{url} does not answer: {text if text.endswith(('.', '?')) else f'{text}.'}")


def answer_of(response: http.client.HTTPResponse, content: bytes, *, method: str, path: str) -> Any:
    """Decode an expected response. Refused if the site rejects the request, RetryableError for anything else.

    A Retry-After of an expected response, such as that of an empty claim, is in the body as `retry_after`.
    """
    status, body = response.status, decode(content)
    retry_after = backoff.retry_after(response.headers.get("Retry-After"))
    if 200 <= status < 300 and answers.is_expected(method, path, body):
        return {**body, "retry_after": retry_after} if retry_after and isinstance(body, dict) else body
    refused = answers.verdict(status, response.headers.get("Content-Type"), body)
    if refused and status not in backoff.TRY_AGAIN:
        raise refused
    raise RetryableError(_described(response, body), retry_after=retry_after, status=status)


def _described(response: http.client.HTTPResponse, body: Any) -> str:
    """Describe an invalid response for the log."""
    status, place = response.status, response.headers.get("Location")
    if 300 <= status < 400 and place:
        # A redirected POST would arrive as a GET or at another server, so no redirect is followed.
        return f"HTTP {status} to {_quoted(place)}; is the address right? Redirects are not followed."
    if status == http.client.PROXY_AUTHENTICATION_REQUIRED:
        return f"HTTP {status}: the proxy wants a name and a password, as in http://name:password@proxy.example:3128"
    if response.headers.get_content_type() == answers.PROBLEM and isinstance(body, dict) and body.get("detail"):
        return f"HTTP {status}: {_quoted(str(body['detail']))}"
    if status in backoff.TRY_AGAIN:
        return f"HTTP {status}"
    return f"HTTP {status}, and not from a Progress Site; is a proxy in between, or the address wrong?"


def _quoted(text: str) -> str:
    """Make foreign text safe for a log."""
    return "".join(character if character.isprintable() else "?" for character in text[:LONGEST_QUOTE])


def encode(body: Any) -> bytes:
    """Encode JSON. ValueError for NaN and infinities, TypeError for values that are not JSON."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def _waited(stop: threading.Event | None, pause: float, failure: RetryableError) -> bool:
    """Wait before the next try; True if `stop` was set."""
    log.warning("no answer (%s), next try in %.1f s", failure, pause)
    if stop is None:
        time.sleep(pause)
        return False
    return stop.wait(pause)
