"""`serve` and `watchdog` as real processes: they start, they answer, and they end without losing anything."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path

import pytest

from jobs.management.commands.serve import port_number
from jobs.management.commands.watchdog import seconds
from tests.examples.site import template
from tests.servers import ROOT, Server, started

SECRET = "a-key-of-the-test-run-0123456789-abcdef"
PATIENCE = 20.0
SERVER = """
import os, sys, time
import django
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

def slow(request: HttpRequest) -> HttpResponse:
    open(os.environ["BEGUN"], "w").close()
    while not os.path.exists(os.environ["GO_ON"]):
        time.sleep(0.01)
    return HttpResponse("finished")

def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"x" * 200_000)

urlpatterns = [path("slow", slow), path("large", large), path("", include("progress_site.urls"))]
"""
SETTINGS = "from progress_site.settings import *\nROOT_URLCONF = 'slow_urls'\n"
CLAIM = """
from jobs import tracking
from jobs.change import Actor
made = tracking.create_job(name="{name}", items=[tracking.NewItem("a")], by=Actor())
tracking.claim(made.job.phases.get(), worker="w1", lease_seconds=1, by=Actor())
"""
STATUS = """
SELECT jobs_item.status FROM jobs_item JOIN jobs_phase ON jobs_phase.id = phase_id JOIN jobs_job ON jobs_job.id = job_id
WHERE jobs_job.name = ?
"""


class Place:
    """A directory with a database of its own, and the environment of processes that use it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "slow_urls.py").write_text(SERVER)
        (directory / "slow_settings.py").write_text(SETTINGS)
        self.begun, self.go_on = directory / "begun", directory / "go_on"
        around = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = {
            **around,
            "ENV_FILE": "",
            "SECRET_KEY": SECRET,
            "DATABASE_URL": f"sqlite:///{directory}/progress.sqlite3",
            "DJANGO_SETTINGS_MODULE": "slow_settings",
            "PYTHONPATH": str(directory),
            "PYTHONUNBUFFERED": "1",
            "BEGUN": str(self.begun),
            "GO_ON": str(self.go_on),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A management command that runs on."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def status_of_item(self, job: str) -> str:
        """The status of the only item of this job."""
        with closing(sqlite3.connect(self.directory / "progress.sqlite3")) as connection:
            found: str = connection.execute(STATUS, [job]).fetchone()[0]
            return found

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A management command that ends by itself."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A migrated database."""
    made = Place(tmp_path_factory.mktemp("serve"))
    shutil.copy(template()[0], made.directory / "progress.sqlite3")
    return made


@contextmanager
def serving(place: Place) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server and its port, until the end of the block."""
    with started(Server(place.environment)) as server:
        yield server.process, server.port


def until(fact: Callable[[], bool]) -> None:
    """Wait until the fact holds."""
    end = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def asking(port: int, path: str) -> HTTPConnection:
    """A connection on which a request was sent."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path)
    return connection


def accepts(port: int) -> bool:
    """Is the port open?"""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_it_answers_and_ends_at_once_with_idle_connections(place: Place) -> None:
    with serving(place) as (process, port):
        idle = asking(port, "/readyz")
        assert idle.getresponse().read().startswith(b'{"status": "ok"')
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert process.wait(PATIENCE) == 0
        assert time.monotonic() - begun < 5


def test_a_large_answer_is_over_once_it_was_read(place: Place) -> None:
    with serving(place) as (process, port):
        connection = asking(port, "/large")
        assert len(connection.getresponse().read()) == 200_000
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert process.wait(PATIENCE) == 0
        assert time.monotonic() - begun < 5


def test_a_request_in_flight_is_answered_before_it_ends(place: Place) -> None:
    place.begun.unlink(missing_ok=True)
    place.go_on.unlink(missing_ok=True)
    with serving(place) as (process, port):
        connection = asking(port, "/slow")
        until(place.begun.exists)
        process.send_signal(signal.SIGTERM)
        until(lambda: not accepts(port))
        assert process.poll() is None
        place.go_on.touch()
        response = connection.getresponse()
        assert (response.status, response.getheader("Connection"), response.read()) == (200, "close", b"finished")
        assert process.wait(PATIENCE) == 0


def test_a_second_signal_does_not_wait_for_the_request(place: Place) -> None:
    place.begun.unlink(missing_ok=True)
    place.go_on.unlink(missing_ok=True)
    with serving(place) as (process, port):
        connection = asking(port, "/slow")
        until(place.begun.exists)
        process.send_signal(signal.SIGTERM)
        until(lambda: not accepts(port))
        process.send_signal(signal.SIGTERM)
        with pytest.raises(RemoteDisconnected):
            connection.getresponse()
        assert process.wait(PATIENCE) == 1


def test_a_client_cannot_move_the_site(place: Place) -> None:
    with serving(place) as (_, port):
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/", headers={"Daphne-Root-Path": "/elsewhere"})
        assert connection.getresponse().getheader("Location") == "/admin/"


def test_a_foreign_page_gets_no_websocket(place: Place) -> None:
    with serving(place) as (_, port):
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        handshake = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Origin": "https://evil.example.com",
        }
        connection.request("GET", "/ws/jobs", headers=handshake)
        assert connection.getresponse().status == 403


def test_a_taken_port_is_said_in_one_line(place: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = place.run("serve", "--port", port)
    assert refused.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_without_tables_is_not_served(tmp_path: Path) -> None:
    refused = Place(tmp_path).run("serve", "--port", "0")
    assert refused.returncode == 1
    assert "manage.py migrate" in refused.stderr


@pytest.mark.parametrize("command", [("watchdog", "--interval", "0.1"), ("serve", "--port", "0")])
def test_an_expired_lease_is_found_by_whoever_keeps_watch(place: Place, command: tuple[str, ...]) -> None:
    job = "-".join(command)
    assert place.run("shell", "--command", CLAIM.format(name=job)).returncode == 0
    process = place.start(*command)
    try:
        until(lambda: place.status_of_item(job) == "pending")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


def test_one_sweep_answers_whether_it_worked(place: Place, tmp_path: Path) -> None:
    assert place.run("watchdog", "--once").returncode == 0
    assert Place(tmp_path).run("watchdog", "--once").returncode == 1


@pytest.mark.parametrize("arguments", [("serve", "--port=http"), ("watchdog", "--interval=0")])
def test_a_wrong_use_exits_with_2(place: Place, arguments: tuple[str, ...]) -> None:
    assert place.run(*arguments).returncode == 2


@pytest.mark.parametrize("text", ["-1", "65536", "http", "1.5", "", "٣"])
def test_a_port_is_a_number_up_to_65535(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        port_number(text)


@pytest.mark.parametrize("text", ["0", "-1", "x", "nan", "inf", "1e9", ""])
def test_an_interval_is_above_0_seconds_and_at_most_a_day(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        seconds(text)
