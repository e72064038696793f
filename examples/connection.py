"""JSON client for Progress Site over one persistent connection, with retries until the site answers."""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import ssl
import time
from random import SystemRandom
from secrets import token_hex
from threading import Event
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

TIMEOUT = 30.0
LONGEST_PAUSE = 30.0
LAST_PAUSE = 1.0
TRY_AGAIN = {429, 500, 502, 503, 504}
PROBLEM = "application/problem+json"
NOT_ABOUT_THE_CALL = {"host_not_allowed", "malformed_request", "method_not_allowed"}
jitter = SystemRandom()


def worker_name() -> str:
    """Return a unique worker name."""
    # Containers often have the same host name and process id.
    return f"{socket.gethostname()[:100]}-{os.getpid()}-{token_hex(4)}"


class Refused(Exception):
    """The site rejected the request. The message is its `detail`, `status` the HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class GaveUp(Exception):
    """The worker was stopped before the site answered."""


class Connection:
    """A connection for one thread. Every call of the API may be repeated, so a lost response is requested again.

    `stop` ends the waits between tries. `last_tries` is the number of tries after that.
    """

    def __init__(self, url: str, *, token: str, stop: Event, last_tries: int = 3) -> None:
        parts = urlsplit(url)
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._http = make(parts.netloc, timeout=TIMEOUT)
        self._base = parts.path.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._stop = stop
        self._last_tries = last_tries

    def get(self, path: str) -> Any:
        """Fetch a path below /api/v1."""
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post a body and return the response. Refused if the site rejects it, GaveUp if stopped before a response."""
        return self._call("POST", path, json.dumps(body).encode())

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Patch values and return the response."""
        return self._call("PATCH", path, json.dumps(body).encode())

    def _call(self, method: str, path: str, body: bytes | None) -> Any:
        tries, left = 0, self._last_tries
        while left > 0 or not self._stop.is_set():
            left -= self._stop.is_set()
            pause = jitter.uniform(0, min(LONGEST_PAUSE, 0.5 * 2**tries))
            try:
                status, answer, retry_after = self._once(method, path, body)
            except ssl.SSLCertVerificationError as error:
                raise Refused(
                    0, f"The certificate is not trusted ({error.verify_message}); set SSL_CERT_FILE."
                ) from error
            except (OSError, http.client.HTTPException) as error:
                self._http.close()
                problem = str(error) or type(error).__name__
            else:
                if status < 300:
                    return answer
                problem = answer.get("detail") or f"HTTP {status}"
                if answer and status not in TRY_AGAIN and answer["code"] not in NOT_ABOUT_THE_CALL:
                    raise Refused(status, problem)
                pause += retry_after
            tries = min(tries + 1, 10)
            self._pause(pause, problem)
        raise GaveUp(f"{method} {path}")

    def _pause(self, seconds: float, problem: str) -> None:
        if self._stop.is_set():
            time.sleep(min(seconds, LAST_PAUSE))
        else:
            log.warning("no answer (%s), next try in %.1f s", problem, seconds)
            self._stop.wait(seconds)

    def _once(self, method: str, path: str, body: bytes | None) -> tuple[int, Any, float]:
        self._http.request(method, self._base + path, body=body, headers=self._headers)
        response = self._http.getresponse()
        answer = _json(response.read())
        if response.status < 300 and answer is None:
            raise http.client.HTTPException("the response is not JSON")
        # An error of a proxy or a login page says nothing about the call. Only a problem with a code is the site's.
        if response.headers.get_content_type() != PROBLEM or not isinstance(answer, dict) or "code" not in answer:
            answer = answer if response.status < 300 else {}
        retry_after = response.headers.get("Retry-After", "")
        return response.status, answer, float(retry_after) if retry_after.isdigit() else 0.0


def _json(raw: bytes) -> Any:
    """Decode a JSON body; None if it is not JSON, as from a proxy."""
    try:
        return json.loads(raw)
    except ValueError:
        return None
