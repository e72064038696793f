"""Load generator: a process that reads one order as JSON on stdin and prints its measurements.

An order has `port`, `method`, `paths`, `headers`, `connections` and `bodies`; each connection sends the next body as
soon as it has the answer to its last one. The paths are used in turn. The answer is {"seconds", "median_seconds",
"p99_seconds", "statuses", "bytes"}.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from statistics import median
from time import perf_counter
from typing import Any

CHUNK = 1 << 16
TIMEOUT_SECONDS = 60


class Lane:
    """One kept-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        """Send a request."""
        self.received, self.sent_at = b"", perf_counter()
        self.socket.sendall(request)

    def receive(self) -> tuple[int, int] | None:
        """Receive; return the status and the length of the body once the answer is complete."""
        chunk = self.socket.recv(CHUNK)
        if not chunk:
            raise ConnectionError(f"The server closed the connection after {self.received[:200]!r}.")
        self.received += chunk
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or len(body) < content_length(head):
            return None
        return int(head.split(b" ", 2)[1]), len(body)


def content_length(head: bytes) -> int:
    """Return the Content-Length of an answer."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    raise ValueError(f"No Content-Length in {head!r}.")


def requests(order: dict[str, Any]) -> Iterator[bytes]:
    """Yield the raw requests of an order."""
    fixed = "".join(f"{name}: {value}\r\n" for name, value in order["headers"].items())
    host = f"Host: 127.0.0.1:{order['port']}"
    heads = [f"{order['method']} {path} HTTP/1.1\r\n{host}\r\n{fixed}" for path in order["paths"]]
    for head, body in zip(cycle(heads), order["bodies"], strict=False):
        raw = body.encode()
        yield f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Send everything and measure."""
    waiting = list(requests(order))[::-1]
    lanes = [Lane(order["port"]) for _ in range(min(order["connections"], len(waiting)))]
    selector = selectors.DefaultSelector()
    statuses: Counter[int] = Counter()
    times: list[float] = []
    size = 0
    begun = perf_counter()
    for lane in lanes:
        selector.register(lane.socket, selectors.EVENT_READ, lane)
        lane.send(waiting.pop())
    busy = len(lanes)
    while busy:
        ready = selector.select(TIMEOUT_SECONDS)
        if not ready:
            raise TimeoutError(f"No answer for {TIMEOUT_SECONDS} s.")
        for key, _ in ready:
            answer = key.data.receive()
            if answer is None:
                continue
            statuses[answer[0]] += 1
            size += answer[1]
            times.append(perf_counter() - key.data.sent_at)
            if waiting:
                key.data.send(waiting.pop())
            else:
                busy -= 1
    seconds = perf_counter() - begun
    p99 = sorted(times)[len(times) * 99 // 100]
    figures = {"seconds": seconds, "median_seconds": median(times), "p99_seconds": p99}
    return {**figures, "statuses": dict(statuses), "bytes": size}


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
