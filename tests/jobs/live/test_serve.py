"""The live channel of the real server: Daphne, its own event loop, workers in threads."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from knox.models import AuthToken
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from jobs.live.close_reasons import REASONS
from tests.factories import complete, make_job, phase_of
from tests.jobs.live.conftest import run, sign_in
from tests.jobs.live.server import LiveServer, hear, serving
from tests.servers import ROOT, free_port, on_test_database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def running(django_db_setup: None) -> Iterator[LiveServer]:
    """The server that these tests share, over the database that is emptied after each."""
    with serving() as server:
        yield server


@pytest.fixture
def server(running: LiveServer, transactional_db: None) -> LiveServer:
    """A server that runs, also after a test that ended it."""
    if not running.is_running:
        running.start()
    return running


@pytest.fixture
def token(transactional_db: None) -> str:
    """The token of a worker."""
    secret: str = AuthToken.objects.create(sign_in("report_job", "view_job")[0])[1]
    return secret


def report(server: LiveServer, job: Any, number: int, *, token: str) -> None:
    """One worker's report of one item."""
    body = {"worker": "w1", "results": [{"key": f"k{number}", "status": "completed"}]}
    server.post(f"/jobs/{job.pk}/phases/items/report", body, token=token)


async def recv_for_ever(browser: ClientConnection) -> None:
    """Read until the connection is closed."""
    while True:
        async with asyncio.timeout(10):
            await browser.recv()


async def test_messages_are_compressed_for_a_browser_and_stay_limited_in_size(server: LiveServer, viewer: str) -> None:
    async with server.watch("/ws/jobs", session_key=viewer) as browser:
        assert [extension.name for extension in browser.protocol.extensions] == ["permessage-deflate"]
        await hear(browser)
        await browser.send("[" + " " * 1_000_000)
        with pytest.raises(ConnectionClosed):
            await recv_for_ever(browser)


async def test_a_client_that_offers_no_compression_is_served_without(server: LiveServer, viewer: str) -> None:
    async with server.watch("/ws/jobs", session_key=viewer, compression=None) as browser:
        assert (await hear(browser))["type"] == "snapshot"


async def test_a_report_reaches_the_browser_within_a_second(server: LiveServer, viewer: str, token: str) -> None:
    job = await run(make_job, items=10)
    async with server.watch(f"/ws/jobs/{job.pk}", session_key=viewer) as browser:
        await hear(browser)
        for number in range(5):
            await asyncio.to_thread(report, server, job, number, token=token)
            began = time.monotonic()
            message = await hear(browser)
            assert time.monotonic() - began < 1
            assert message["job"]["phases"][0]["done"] == number + 1


async def test_a_change_by_another_process_reaches_the_browser(server: LiveServer, viewer: str) -> None:
    job = await run(make_job, items=10)
    async with server.watch("/ws/jobs", session_key=viewer) as browser:
        await hear(browser)
        await run(lambda: complete(phase_of(job), 3))
        async with asyncio.timeout(3):
            assert (await hear(browser))["job"]["phases"][0]["done"] == 3


async def test_a_snapshot_may_be_larger_than_what_a_browser_may_send(server: LiveServer, viewer: str) -> None:
    metadata = {"note": "x" * 15_000}
    for _ in range(100):
        await run(make_job, items=1, metadata=metadata)
    async with server.watch("/ws/jobs", session_key=viewer) as browser:
        assert len((await hear(browser))["jobs"]) == 100


async def test_a_message_that_is_too_long_closes_the_socket(server: LiveServer, viewer: str) -> None:
    async with server.watch("/ws/jobs", session_key=viewer) as browser:
        await hear(browser)
        await browser.send("x" * 100_000)
        async with asyncio.timeout(10):
            await browser.wait_closed()
        assert browser.close_code in (1006, 1009)


async def test_a_page_of_another_site_is_refused_at_the_handshake(server: LiveServer, viewer: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with server.watch("/ws/jobs", session_key=viewer, origin="https://evil.example"):
            pass
    assert refusal.value.response.status_code == 403


async def test_a_client_that_is_no_page_needs_no_origin(server: LiveServer, viewer: str) -> None:
    async with server.watch("/ws/jobs", session_key=viewer, origin=None) as browser:
        assert (await hear(browser))["type"] == "snapshot"


async def test_without_a_session_the_close_code_tells_the_browser(server: LiveServer) -> None:
    async with server.watch("/ws/jobs", session_key="none") as browser:
        with pytest.raises(ConnectionClosed):
            await browser.recv()
        assert (browser.close_code, browser.close_reason) == (4401, REASONS[4401])


async def test_uvicorn_passes_the_reason_of_a_close_too(transactional_db: None) -> None:
    pytest.importorskip("uvicorn", reason="the packages of scale-out are not installed")
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "progress_site.asgi:application", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=on_test_database(), stderr=DEVNULL)
    try:
        browser = await _connect_when_it_listens(f"ws://127.0.0.1:{port}/ws/jobs")
        with pytest.raises(ConnectionClosed):
            await browser.recv()
        assert (browser.close_code, browser.close_reason) == (4401, REASONS[4401])
    finally:
        process.terminate()
        await process.wait()


async def _connect_when_it_listens(url: str) -> ClientConnection:
    async with asyncio.timeout(30):
        while True:
            try:
                return await connect(url)
            except OSError:
                await asyncio.sleep(0.1)


async def test_a_stopping_server_says_that_it_goes_away(server: LiveServer, viewer: str) -> None:
    async with server.watch("/ws/jobs", session_key=viewer) as browser:
        await hear(browser)
        server.process.terminate()
        with pytest.raises(ConnectionClosed):
            await hear(browser)
        assert browser.close_code == 1001
    assert await asyncio.to_thread(server.process.wait, 10) == 0


async def test_200_browsers_that_do_not_read_delay_no_other_and_cost_little(
    server: LiveServer, viewer: str, token: str
) -> None:
    job = await run(make_job, items=30, metadata={"note": "x" * 15_000})
    keys = [(await run(sign_in, "view_job"))[1] for _ in range(5)]
    async with server.watch(f"/ws/jobs/{job.pk}", session_key=viewer) as browser:
        await hear(browser)
        before, slowest = server.mebibytes(), 0.0
        deaf = [await asyncio.to_thread(server.deaf, "/ws/jobs", session_key=key) for key in 40 * keys]
        for number in range(25):
            await asyncio.to_thread(report, server, job, number, token=token)
            began = time.monotonic()
            await hear(browser)
            slowest = max(slowest, time.monotonic() - began)
        after = server.mebibytes()
    for each in deaf:
        each.close()
    assert slowest < 1
    assert after - before < 50


def masked(opcode: int, payload: bytes) -> bytes:
    """Return a frame as a client sends it, masked with zeros."""
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


def waiting(deaf: socket.socket) -> int:
    """Return the number of bytes that wait for a client that starts to read now."""
    deaf.settimeout(1)
    count = 0
    with suppress(OSError):
        while data := deaf.recv(1 << 16):
            count += len(data)
    return count


@pytest.mark.parametrize("asks", ["sync", "ping"])
async def test_what_waits_for_a_client_that_asks_much_and_reads_nothing_is_bounded(
    server: LiveServer, viewer: str, asks: str
) -> None:
    unknown = json.dumps({"type": "sync", "revisions": {str(n): 1 for n in range(10_000, 11_000)}}).encode()
    frame = masked(1, unknown) if asks == "sync" else masked(9, b"x" * 125) * 60
    deaf = await asyncio.to_thread(server.deaf, "/ws/jobs", session_key=viewer)
    await asyncio.to_thread(deaf.recv, 4096)  # the handshake
    await asyncio.to_thread(deaf.sendall, masked(1, b'{"type":"ack"}'))
    with suppress(OSError):
        for _ in range(60):
            await asyncio.to_thread(deaf.sendall, frame)
            await asyncio.sleep(0.025)
    assert await asyncio.to_thread(waiting, deaf) < 10_000
    deaf.close()


async def test_each_reconnecting_browser_gets_the_newest_state(server: LiveServer, viewer: str, token: str) -> None:
    job = await run(make_job, items=10)
    for number in range(3):
        async with server.watch(f"/ws/jobs/{job.pk}", session_key=viewer) as browser:
            message = json.loads(await browser.recv())
            assert message["jobs"][0]["phases"][0]["done"] == number
        await asyncio.to_thread(report, server, job, number, token=token)
