"""Networks of companies: proxies, own certificate authorities, redirects, Retry-After of empty claims."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic

import pytest
from progress_client import CertificateError, Client, ProgressError, Unavailable, claim_loop

from tests.client.gateway import JSON, Foreign, Gateway
from tests.client.test_forked_connections import Answer, certificate
from tests.examples.site import Site

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "PROGRESS_CA")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class Forwarder:
    """A forward proxy as companies have one, which asks for a password."""

    def __init__(self, site: Site) -> None:
        self.asked: list[str] = []
        forwarder, gateway = self, Gateway(site)
        self.gateway = gateway

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if not self.permitted():
                    return
                address = self.path.removeprefix(site.url)
                status, headers, content = gateway.reply(None, self.command, address, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Type", headers["Content-Type"])
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = forward  # noqa: N815

            def do_CONNECT(self) -> None:
                if not self.permitted():
                    return
                host, _, port = self.path.partition(":")
                with socket.create_connection((host, int(port))) as far:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
                    back.start()
                    _pump(self.connection, far)
                    back.join(5)
                self.close_connection = True

            def permitted(self) -> bool:
                forwarder.asked.append(f"{self.command} {self.path}")
                known = self.headers.get("Proxy-Authorization") == f"Basic {b64encode(b'me:s:cret').decode()}"
                if not known:
                    self.send_response(407)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                return known

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.place = f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self.gateway.close()


def _pump(near: socket.socket, far: socket.socket) -> None:
    with suppress(OSError):
        while content := near.recv(1 << 16):
            far.sendall(content)
    with suppress(OSError):
        far.shutdown(socket.SHUT_WR)


@pytest.fixture
def forwarder(site: Site) -> Iterator[Forwarder]:
    made = Forwarder(site)
    yield made
    made.close()


@contextmanager
def tls_site(file: Path) -> Iterator[int]:
    """A server with a certificate of an authority that the system does not know."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_the_whole_loop_goes_through_the_proxy_of_the_environment(
    site: Site, forwarder: Forwarder, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:s%3Acret@{forwarder.place}")
    with Client(site.url, token=site.token, journal=folder) as client:
        job = client.job(name, items=["a"])
        for item in job.claim():
            with item:
                pass
        assert job.refresh().status == "completed"
    assert f"POST {site.url}/api/v1/jobs" in forwarder.asked


def test_no_proxy_names_the_hosts_without_a_proxy(
    site: Site, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", forwarder.place)
    monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
    with Client(site.url, token=site.token, journal=None) as client:
        assert client.find("unknown") is None
    assert forwarder.asked == []


def test_a_proxy_that_wants_a_password_is_named_without_telling_the_wrong_one(
    site: Site, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:wrong@{forwarder.place}")
    with (
        Client(site.url, token=site.token, journal=None, retry_for=0) as client,
        pytest.raises(Unavailable, match="HTTP 407: the proxy wants a name and a password") as caught,
    ):
        client.find("unknown")
    assert "wrong" not in str(caught.value)


def test_a_proxy_that_does_not_answer_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:9")
    with (
        Client(site.url, token=site.token, journal=None, retry_for=0) as client,
        pytest.raises(Unavailable, match=r"refused through the proxy 127\.0\.0\.1:9\.$"),
    ):
        client.find("unknown")


def test_another_kind_of_proxy_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.example:1080")
    with pytest.raises(ProgressError, match=r"HTTPS_PROXY must be an HTTP proxy.* add progress\.example to NO_PROXY"):
        Client("https://progress.example", token="t", journal=None)


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_https_goes_through_a_tunnel_and_trusts_the_authority_of_the_company(
    forwarder: Forwarder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:s%3Acret@{forwarder.place}")
    file = certificate(tmp_path / "ca.pem")
    if by == "environment":
        monkeypatch.setenv("PROGRESS_CA", str(file))
    with tls_site(file) as port:
        ca = file if by == "argument" else None
        with Client(f"https://localhost:{port}", token="t", journal=None, ca=ca) as client:
            assert client.open(1).id
        assert forwarder.asked == [f"CONNECT localhost:{port}"]


def test_an_untrusted_certificate_ends_every_call_at_once_with_the_remedy(tmp_path: Path, folder: Path) -> None:
    with tls_site(certificate(tmp_path / "ca.pem")) as port:
        begun = monotonic()
        with (
            Client(f"https://localhost:{port}", token="t", journal=folder) as client,
            pytest.raises(CertificateError, match=r"self.signed certificate.*Set PROGRESS_CA or ca= to the file"),
        ):
            client.job("a")
        assert monotonic() - begun < 5


def test_certificates_that_cannot_be_read_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(ProgressError, match=r"pem cannot be read .*Set PROGRESS_CA or ca= to a PEM file"):
            Client("https://localhost", token="t", journal=None, ca=path)


def test_a_redirect_is_named_and_never_followed(gateway: Gateway, site: Site) -> None:
    gateway.always(Foreign(308, b"", {"Location": f"{site.url}/api/v1/jobs"}))
    with (
        Client(gateway.url, token=site.token, journal=None, retry_for=0) as client,
        pytest.raises(Unavailable, match=f"HTTP 308 to {site.url}/api/v1/jobs; is the address right"),
    ):
        client.job("redirected", items=["a"])
    assert site.job("redirected") is None


@pytest.mark.parametrize(("asked", "longest", "waited"), [("1", 60.0, 1.0), ("30", 0.3, 0.3)])
def test_a_loop_of_items_that_wait_for_their_retry_honours_retry_after_up_to_a_bound(
    gateway: Gateway,
    site: Site,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
    longest: float,
    waited: float,
) -> None:
    monkeypatch.setattr(claim_loop, "LONGEST_RETRY_WAIT", longest)
    answers = [Foreign(200, b'{"items":[],"reason":"retry_wait"}', {**JSON, "Retry-After": asked})]
    times: list[float] = []

    def answer(method: str, path: str) -> Foreign | None:
        if not path.endswith("/claim"):
            return None
        times.append(monotonic())
        return answers.pop() if answers else None

    gateway.answers = answer
    with Client(gateway.url, token=site.token, journal=None) as client:
        for item in client.job(name, items=["a"]).claim():
            with item:
                pass
    assert waited <= times[1] - times[0] < waited + 0.8
