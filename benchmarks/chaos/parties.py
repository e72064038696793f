"""The parties around a site: an endpoint that fails, browsers, and operators, each in threads of this process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Event, Lock, Thread
from typing import Any

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

JOB_ITEMS = 5, 80
MOST_OPEN = 8
ACT_PAUSE = 0.25
# Wrong state, locked, and the answers of a connection whose server is gone.
EXPECTED = (200, 201, 409, 503)


class Endpoint:
    """A receiver of webhooks that refuses a share of them: with an error, or without an answer."""

    def __init__(self, seed: str, failing: float) -> None:
        self.accepted: list[str] = []
        self.failing = failing
        self._chance, self._lock = Random(seed), Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, name="endpoint", daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def receive(self, message: str) -> int:
        """Return the status of the answer to this message; 0 for no answer."""
        with self._lock:
            status = self._chance.choice((500, 503, 0)) if self._chance.random() < self.failing else 204
            if status == 204:
                self.accepted.append(message)
        return status

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status = endpoint.receive(self.headers["webhook-id"])
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Print nothing."""

        return Handler


class Party:
    """A thread that repeats its step until it is stopped; a lost connection is tried again."""

    PAUSE = 0.2

    def __init__(self, name: str) -> None:
        self.over = Event()
        self.defects: list[str] = []
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Do the next thing."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the thread after its step."""
        self.over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self.over.wait(self.PAUSE):
            try:
                self.step()
            except (httpx.TransportError, WebSocketException, OSError):
                continue
            except Exception as error:
                self.defects.append(repr(error))


class Browser(Party):
    """A websocket over all jobs that acknowledges each frame and notes a revision that goes back."""

    def __init__(self, name: str, api: Callable[[], httpx.Client]) -> None:
        self.revisions: dict[int, int] = {}
        self.frames = self.connections = 0
        self.backwards: list[str] = []
        self._api = api
        super().__init__(name)

    def step(self) -> None:
        """Connect and follow until the connection ends."""
        with self._api() as api:
            ticket = api.post("/api/v1/live-ticket", json={})
            base = str(api.base_url).replace("http", "ws", 1).rstrip("/")
        if ticket.status_code != 200:
            return
        with connect(f"{base}/ws/jobs?ticket={ticket.json()['ticket']}", open_timeout=5, close_timeout=1) as socket:
            self.connections += 1
            shown: dict[int, int] = {}
            while not self.over.is_set():
                with suppress(TimeoutError):
                    answer = self._receive(json.loads(socket.recv(timeout=0.5)), shown)
                    if answer:
                        socket.send(json.dumps(answer))

    def _receive(self, frame: dict[str, Any], shown: dict[int, int]) -> dict[str, Any] | None:
        self.frames += 1
        if frame["type"] == "ping":
            return {"type": "pong"}
        jobs = frame["jobs"] if frame["type"] == "snapshot" else [frame["job"]] if frame["type"] == "job" else []
        for job in jobs:
            if job["revision"] < shown.get(job["id"], 0):
                self.backwards.append(f"job {job['id']}: {job['revision']} after {shown[job['id']]}")
            shown[job["id"]] = self.revisions[job["id"]] = job["revision"]
        if frame["type"] == "job":
            return {"type": "ack", "id": frame["job"]["id"], "revision": frame["job"]["revision"]}
        return {"type": "ack"} if frame["type"] == "snapshot" else None


class Operator(Party):
    """An operator who creates jobs and acts on them over REST."""

    PAUSE = ACT_PAUSE
    ACTS = ("retry", "release", "pause", "resume", "restart", "restart", "cancel", "force-complete", "threshold")

    def __init__(self, name: str, api: Callable[[], httpx.Client], seed: str) -> None:
        self.answers: Counter[str] = Counter()
        self.unexpected: list[str] = []
        self._name, self._api, self._chance, self._made = name, api, Random(seed), 0
        super().__init__(name)

    def step(self) -> None:
        """Create a job where few are open, else act on one."""
        with self._api() as api:
            found = self._call(api, "GET", "/api/v1/jobs?ordering=-created_at&limit=50")
            jobs = found.json()["results"] if found.status_code == 200 else []
            still_open = [job for job in jobs if job["status"] in ("pending", "processing")]
            if len(still_open) < MOST_OPEN:
                self._create(api)
            elif jobs:
                self._act(api, self._chance.choice(jobs))

    def _create(self, api: httpx.Client) -> None:
        self._made += 1
        phases: list[dict[str, Any]] = [{"code": "items", "threshold": self._chance.choice((100, 90))}]
        if self._chance.random() < 0.3:
            phases.append({"code": "after", "gated": True})
        items = [{"key": f"k{number}"} for number in range(self._chance.randint(*JOB_ITEMS))]
        body = {"name": f"{self._name}-{self._made}", "phases": phases, "items": items}
        self._call(api, "POST", "/api/v1/jobs", body)

    def _act(self, api: httpx.Client, job: dict[str, Any]) -> None:
        act, body = self._chance.choice(self.ACTS), {"reason": "chaos"}
        # Later acts need the jobs: the two that end one are rare.
        if act in ("cancel", "force-complete") and self._chance.random() < 0.7:
            return
        phase = job["phases"][0]["code"]
        more: dict[str, dict[str, Any]] = {
            "restart": {"phase": phase, "only": self._chance.choice(("all", "failed"))},
            "release": {"all": True},
            "threshold": {"phase": phase, "threshold": self._chance.choice((80, 90, 100))},
        }
        self._call(api, "POST", f"/api/v1/jobs/{job['id']}/{act}", body | more.get(act, {}))

    def _call(self, api: httpx.Client, method: str, path: str, body: Any = None) -> httpx.Response:
        answer = api.request(method, path, json=body)
        self.answers[f"{answer.status_code}"] += 1
        if answer.status_code not in EXPECTED:
            self.unexpected.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer
