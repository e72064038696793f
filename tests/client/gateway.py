"""A small HTTP server in front of a site, like an ingress, a login page or a proxy: it passes on, or answers itself."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.examples.site import Site

PROBLEM = {"Content-Type": "application/problem+json"}
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
HTML = {"Content-Type": "text/html; charset=utf-8"}


@dataclass(frozen=True)
class Foreign:
    """An answer that no Progress Site gives. `length`: what Content-Length says where that is not true."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


def problem(status: int, code: str, *, detail: str = "No.") -> Foreign:
    """A refusal in the words of a Progress Site."""
    body = {"type": "about:blank", "title": "", "status": status, "detail": detail, "code": code, "errors": []}
    return Foreign(status, json.dumps(body).encode(), PROBLEM)


class Gateway:
    """`answers` says for a method and a path what to answer instead of the site; None: ask the site."""

    def __init__(self, site: Site) -> None:
        self.answers: Callable[[str, str], Foreign | None] = lambda method, path: None
        self.asked: list[tuple[str, str, int]] = []
        self.site = site
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                foreign = gateway.answers(self.command, self.path)
                status, headers, content = gateway.reply(foreign, self.command, self.path, dict(self.headers), body)
                gateway.asked.append((self.command, self.path, status))
                length = foreign.length if foreign and foreign.length is not None else len(content)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(length)}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = length != len(content)

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def always(self, foreign: Foreign | None, *, path: str = "") -> None:
        """Answer every call whose path contains this."""
        self.answers = lambda method, called: foreign if path in called else None

    def tries(self, path: str) -> int:
        """Count the calls of paths that contain this."""
        return sum(path in called for _, called, _ in list(self.asked))

    def reply(
        self, foreign: Foreign | None, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """The answer, the site's or another."""
        if foreign:
            return foreign.status, foreign.headers, foreign.body
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30)
        try:
            connection.request(method, path, body or None, {**headers, "Host": f"127.0.0.1:{self.site.port}"})
            response = connection.getresponse()
            kept = {name: value for name, value in response.getheaders() if name in ("Content-Type", "Retry-After")}
            return response.status, kept, response.read()
        except OSError:
            return 502, TEXT, b"bad gateway"
        finally:
            connection.close()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def gateway_to(site: Site) -> Iterator[Gateway]:
    """A gateway of one's own."""
    made = Gateway(site)
    try:
        yield made
    finally:
        made.close()
