"""Names: of items that are not UTF-8, of workers that must differ, and of servers that a certificate must vouch for."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from progress_client import AsyncClient, CertificateError, Client, NotFound, ProgressTracker, file_listing

from examples import connection
from tests.client.gateway import Gateway, gateway_to, problem
from tests.client.grounds import counts
from tests.examples.site import Site, eventually

Another = Callable[..., Client]
NOT_UTF8 = os.fsdecode(b"caf\xe9.jpg")
ESCAPED = "caf\\xe9.jpg"


# --- items -----------------------------------------------------------------------------------------


def rows(site: Site, name: str) -> dict[str, tuple[str, str]]:
    job = site.job(name)
    assert job is not None
    return {item["key"]: (item["status"], item["error"]) for item in site.items(job)}


def test_a_name_that_is_not_utf8_fails_by_itself_and_the_folder_goes_on(
    client: Client, site: Site, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for file in ("a.jpg", "b.jpg", NOT_UTF8):
        (folder / file).write_text("x")
    files = sorted(path.name for path in folder.iterdir())
    with caplog.at_level("WARNING", logger="progress_client"):
        for _ in range(2):
            job = client.job(name, items=files, reopen=True)
    keys = []
    for item in job.claim():
        with item:
            keys.append(item.key)
    assert keys == ["a.jpg", "b.jpg"]
    sentence = f"The name or payload of {ESCAPED} is not UTF-8; rename it and add it again."
    assert rows(site, name) == {"a.jpg": ("completed", ""), "b.jpg": ("completed", ""), ESCAPED: ("failed", sentence)}
    assert sentence in caplog.text


def test_items_that_are_added_and_outcomes_that_are_told_follow_the_same_rule(
    client: Client, site: Site, name: str
) -> None:
    job = client.job(name, items=["a"])
    assert job.add_items([{"key": "b", "payload": {"paths": [NOT_UTF8]}}, NOT_UTF8])["added"] == 2
    statuses = {key: status for key, (status, _) in rows(site, name).items()}
    assert statuses == {"a": "pending", "b": "failed", ESCAPED: "failed"}
    frames = client.job(f"{name}/2", phases=[{"code": "frames"}])
    frames.tell(NOT_UTF8, result={"n": 1})
    assert client.flush()
    assert rows(site, f"{name}/2") == {ESCAPED: ("completed", "")}


async def test_the_twin_and_the_tracker_follow_it_too(site: Site, name: str, folder: Path) -> None:
    async with AsyncClient(site.url, token=site.token, journal=folder) as client:
        await client.job(name, items=["a", NOT_UTF8])
    assert rows(site, name)[ESCAPED][0] == "failed"
    with ProgressTracker(site.url, site.token) as tracker:
        job = tracker.create_job(f"{name}/2", ["a", NOT_UTF8])
        assert [path for _, path, _ in tracker.get_pending_images(job)] == [Path("a")]


def test_a_result_that_is_not_utf8_fails_its_item_only(client: Client, site: Site, name: str) -> None:
    for item in client.job(name, items=["a", "b"]).claim():
        with item:
            item.result = {"path": NOT_UTF8 if item.key == "a" else "b"}
    assert counts(site, name) == (1, 1, 0, 0)
    assert "half a surrogate pair" in rows(site, name)["a"][1]


def test_a_good_name_is_never_taken_for_an_escaped_one() -> None:
    bodies, reasons = file_listing.readable([NOT_UTF8, ESCAPED, "\ud800"])
    assert ([body["key"] for body in bodies], list(reasons)) == ([ESCAPED, "\\ud800"], ["\\ud800"])
    assert file_listing.readable([ESCAPED, NOT_UTF8]) == ([{"key": ESCAPED}], {})


# --- jobs that are deleted --------------------------------------------------------------------------


@pytest.fixture
def gateway(site: Site) -> Iterator[Gateway]:
    with gateway_to(site) as made:
        yield made


def gone(gateway: Gateway, job: int) -> None:
    """From now on the site knows this job no longer."""
    gateway.always(problem(404, "not_found", detail=f"There is no job {job}."), path=f"/jobs/{job}")


def test_the_loop_of_a_deleted_job_ends_with_a_line_in_the_log(
    another: Another, gateway: Gateway, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a", "b", "c"])
    handled = []
    with caplog.at_level("WARNING", logger="progress_client"):
        for item in job.claim(batch=2, lease_seconds=1):
            with item:
                handled.append(item.key)
                gone(gateway, job.id)
                eventually(partial(getattr, item, "lost"), what="the news")
                item.check()
    assert handled == ["a"]
    assert f"job {job.id} was deleted" in caplog.text
    assert list(job.claim()) == []
    gateway.always(None)


async def test_the_loop_of_the_twin_ends_too(gateway: Gateway, site: Site, folder: Path, name: str) -> None:
    async with AsyncClient(gateway.url, token=site.token, journal=folder) as client:
        job = await client.job(name, items=["a"])
        gone(gateway, job.id)
        assert [item.key async for item in job.claim()] == []
        gateway.always(None)


def test_the_common_loop_goes_on_when_a_job_is_deleted(
    another: Another, gateway: Gateway, site: Site, name: str
) -> None:
    client = another(gateway.url)
    first = client.job(name, phases=[{"code": name}], items=["a"])
    client.job(f"{name}/2", phases=[{"code": name}], items=["b"])
    handled = []
    for item in client.claim(phase=name, batch=1, lease_seconds=1):
        with item:
            handled.append(item.key)
            if item.key == "a":
                gone(gateway, first.id)
        if item.key == "b":
            client.stop()
    client.close()
    assert handled == ["a", "b"]
    assert counts(site, f"{name}/2")[0] == 1
    assert [row["key"] for row in client.refused] == ["a"]


def test_a_phase_that_does_not_exist_is_an_error(client: Client, name: str) -> None:
    with pytest.raises(NotFound, match="typo"):
        next(client.job(name, items=["a"]).claim(phase="typo"))


# --- workers ---------------------------------------------------------------------------------------


def test_no_two_clients_have_the_same_name_by_themselves(site: Site) -> None:
    clients = [Client(site.url, token=site.token, journal=None) for _ in range(3)]
    assert len({client.worker for client in clients}) == 3
    assert all(str(os.getpid()) in client.worker and len(client.worker) <= 128 for client in clients)
    assert connection.worker_name() != connection.worker_name()


def test_a_loop_renews_its_own_items_and_not_those_of_a_namesake(
    client: Client, another: Another, site: Site, name: str
) -> None:
    job = client.job(name, items=["a", "b"])
    claim = {"worker": "same", "limit": 1, "lease_seconds": 1}
    [held] = client._session.call("POST", f"/jobs/{job.id}/phases/items/claim", claim)["items"]
    living = another(worker="same")
    for item in living.open(job.id).claim(batch=1, lease_seconds=1):
        with item:
            if item.key == "b":
                eventually(lambda: counts(site, name)[3] == 1, what="the end of the dead one's lease")
    assert held["key"] == "a"
    assert counts(site, name) == (2, 0, 0, 0)


# --- certificates ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of an https server with a self-signed certificate, and the certificate."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "cert.pem"
    pem.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://localhost:{server.server_port}", pem
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.job("a", items=["a"]),
        lambda client: next(client.claim(phase="a")),
        lambda client: next(client.claim(phase="a", wait=False), None),
        lambda client: client.find("a"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_an_error_at_once(
    untrusted: tuple[str, Path], call: Callable[[Client], object]
) -> None:
    begun = monotonic()
    with (
        Client(untrusted[0], token="t", journal=None) as client,
        pytest.raises(CertificateError, match="PROGRESS_CA"),
    ):
        call(client)
    assert monotonic() - begun < 5


def test_outcomes_wait_in_the_journal_while_the_certificate_is_not_trusted(
    untrusted: tuple[str, Path], site: Site, folder: Path, name: str
) -> None:
    with Client(site.url, token=site.token, journal=None) as maker:
        job = maker.job(name, items=["a"])
        with Client(untrusted[0], token="t", journal=folder) as client:
            job._session = client._session
            job.tell("a")
            with pytest.raises(CertificateError):
                client.flush()
            with pytest.raises(CertificateError):
                next(job.watch())
            with pytest.raises(CertificateError):
                job.count(done=1)
    [journal] = folder.iterdir()
    assert journal.read_bytes().count(b'"entry"') == 2


def test_the_examples_do_not_try_an_untrusted_certificate_for_ever(untrusted: tuple[str, Path]) -> None:
    with pytest.raises(connection.Refused, match="SSL_CERT_FILE"):
        connection.Connection(untrusted[0], token="t", stop=threading.Event()).get("/jobs")
