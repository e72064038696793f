"""Raw HTTP against Daphne and uvicorn: hostile requests neither stop the server nor are executed in part or twice."""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.examples.site import environment, template
from tests.servers import Server, Uvicorn, started

SECONDS = 20.0
ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3})")
LOGIN, HEALTH = b"/admin/login/", b"/healthz"
CHUNKED = b"Transfer-Encoding: chunked"
SOCKET = b"Upgrade: websocket\r\nConnection: Upgrade"
KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
FORM = b"Content-Type: multipart/form-data; boundary="


@dataclass(frozen=True)
class Site:
    """A server and a token of its site."""

    server: Server
    token: str

    def connect(self) -> socket.socket:
        return socket.create_connection((self.server.host, self.server.port), timeout=SECONDS)

    def status_of(self, path: str) -> int:
        """Return the status of a call by a client of its own."""
        connection = HTTPConnection(self.server.address, timeout=SECONDS)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def jobs(self) -> list[str]:
        """Return the names of all jobs."""
        connection = HTTPConnection(self.server.address, timeout=SECONDS)
        connection.request("GET", "/api/v1/jobs?limit=200", headers={"Authorization": f"Bearer {self.token}"})
        names = re.findall(rb'"name":"([^"]+)"', connection.getresponse().read())
        connection.close()
        return sorted(name.decode() for name in names)

    def post(self, name: bytes, *headers: bytes, body: bytes | None = None) -> bytes:
        """Return a request that creates a job."""
        own = [b"Host: localhost", b"Authorization: Bearer " + self.token.encode(), b"Content-Type: application/json"]
        content = job(name) if body is None else body
        return b"\r\n".join([b"POST /api/v1/jobs HTTP/1.1", *own, *headers, b"", content])


@pytest.fixture(scope="module", params=[Server, Uvicorn], ids=["daphne", "uvicorn"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Each of the servers over a database of its own."""
    if request.param is Uvicorn:
        pytest.importorskip("uvicorn", reason="the packages of scale-out are not installed")
    made, tokens = template()
    database = Path(shutil.copy(made, tmp_path_factory.mktemp("raw") / "site.sqlite3"))
    with started(request.param({**environment(database), "LOG_LEVEL": "INFO"})) as server:
        yield Site(server, tokens["worker"])


def job(name: bytes) -> bytes:
    return b'{"name":"%s"}' % name


def sized(name: bytes) -> bytes:
    return b"Content-Length: %d" % len(job(name))


def chunks(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def get(path: bytes, *headers: bytes, host: bytes = b"Host: localhost", method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", host, *headers, b"", b""])


def requests_without_effect(site: Site) -> Iterator[bytes]:
    """Yield requests that create nothing; some are cut off or nonsense."""
    inner = site.post(b"smuggled", sized(b"smuggled"))
    lengths = (b"17\r\nContent-Length: 0", b"17, 17", b"+17", b"-1", b"0x11", b"1e1", b"9" * 5000, b"1000")
    yield from (site.post(b"a", b"Content-Length: " + length) for length in lengths)
    yield site.post(b"a", b"Content-Length: 6", CHUNKED, body=b"0\r\n\r\nX" + inner)
    yield site.post(b"a", CHUNKED, b"Content-Length: 4", body=chunks(inner))
    yield site.post(b"a", b"Transfer-Encoding: xchunked", body=chunks(job(b"a")))
    yield site.post(b"a", b"Transfer-Encoding : chunked", body=chunks(job(b"a")))
    bodies = (
        b"zz\r\n{}",
        b"-1\r\n{}",
        b"f" * 20 + b"\r\n{}",
        b"1;" + b"a" * 70_000,
        b"2\r\n{}XX0\r\n\r\n",
        b"2\n{}\n0\n\n",
    )
    yield from (site.post(b"a", CHUNKED, body=body) for body in bodies)
    yield from (
        b"GET /healthz" + rest for rest in (b"\r\n\r\n", b" HTTP/2.0\r\n\r\n", b" HTTQ/1.1\r\n\r\n", b" HTTP/1.1\n\n")
    )
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    yield bytes(range(256)) + b"\r\n\r\n"
    yield from (get(HEALTH, method=method) for method in (b"get", b"FOO", b"CONNECT", b"\xff", b"A" * 70_000, b"TRACE"))
    paths = (
        b"*",
        b"healthz",
        b"/\0",
        b"/%00",
        b"/%ff",
        b"/\xff",
        b"/%zz?%zz=%q",
        b"//evil.example/",
        b"/" + b"a" * 200_000,
    )
    yield from (get(path) for path in (*paths, b"http://evil.example/healthz", b"/ws/jobs", b"/badge/%00.svg"))
    hosts = (b"X: y", b"Host: localhost\r\nHost: evil", b"Host: a b\0", b"Host: \xff", b"Host: [", b"Host:")
    yield from (get(LOGIN, host=host) for host in hosts)
    values = (
        b"X: a\0b",
        b"nocolon",
        b"X: a\r\n b",
        b": a",
        b"\xff: \xff",
        b"X: " + b"a" * 200_000,
        b"X: a\nY: b",
        b"X: a\rY: b",
    )
    yield from (get(HEALTH, value) for value in values)
    yield get(HEALTH, *[b"X: a"] * 5000)
    yield get(b"/admin/", b'Cookie: sessionid="\\000"; csrftoken=\xff\x01')
    yield get(b"/api/v1/jobs", b"Authorization: Bearer \xff")
    forms = (FORM, FORM + b"\xff", FORM + b"B", b"Content-Type: text/plain; charset=\xff")
    yield from (get(LOGIN, form, b"Content-Length: 3", method=b"POST") + b"a=b" for form in forms)
    yield from (get(path, SOCKET, KEY) for path in (HEALTH, b"/ws/projects/%00", b"/ws/projects/%ff"))
    yield get(b"/ws/jobs", SOCKET, KEY) + inner
    yield get(HEALTH, b"Content-Length: %d" % len(inner)) + inner


def test_the_next_client_is_served_at_once_after_each_hostile_request(site: Site) -> None:
    before = site.jobs()
    for raw in requests_without_effect(site):
        with site.connect() as connection:
            with suppress(OSError):  # a server may refuse and close before it has read everything
                connection.sendall(raw)
            begun = time.monotonic()
            assert site.status_of("/healthz") == 200, raw[:300]
            assert time.monotonic() - begun < SECONDS / 4, raw[:300]
    assert site.jobs() == before
    said = site.server.said()
    assert "Traceback" not in said
    assert "exception" not in said
    assert site.server.is_running


def test_requests_in_one_connection_are_executed_once_each_and_in_order(site: Site) -> None:
    names = [b"one", b"two", b"three"]
    requests = [site.post(b"one", sized(b"one")), site.post(b"two", CHUNKED, body=chunks(job(b"two")))]
    requests.append(site.post(b"three", sized(b"three"), b"Connection: close"))
    with site.connect() as connection:
        connection.sendall(b"".join(requests))
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert ANSWER.findall(answer) == [b"201"] * 3
    assert [site.jobs().count(name.decode()) for name in names] == [1, 1, 1]


def test_a_client_that_sends_slowly_delays_no_other(site: Site) -> None:
    slow = [site.connect() for _ in range(50)]
    for connection in slow:
        connection.sendall(b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n")
    begun = time.monotonic()
    assert site.status_of("/api/v1/jobs") == 200
    assert time.monotonic() - begun < SECONDS / 4
    for connection in slow:
        connection.close()


@pytest.mark.parametrize("header", [b"Content-Length: " + b"9" * 18, CHUNKED], ids=["length", "chunks"])
def test_an_endless_body_is_refused_before_it_ends(site: Site, header: bytes) -> None:
    piece = b"%x\r\n%s\r\n" % (65_536, b" " * 65_536) if header == CHUNKED else b" " * 65_536
    with site.connect() as connection:
        connection.sendall(site.post(b"endless", header, body=b""))
        try:
            for _ in range(2000):
                connection.sendall(piece)
        except OSError:
            return
    pytest.fail("it took 128 MiB")


def test_a_body_over_the_limit_is_refused_with_413(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(site.post(b"large", b"Content-Length: 1048577", body=b" " * 1_048_577))
        assert ANSWER.findall(connection.recv(65_536)) == [b"413"]


def test_a_form_is_parsed_by_the_application_only(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(get(LOGIN, FORM, b"Content-Length: 3", method=b"POST") + b"a=b")
        assert ANSWER.findall(connection.recv(65_536)) == [b"403"]
