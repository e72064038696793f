"""Server of the demo: check of its port, start and readiness."""

from __future__ import annotations

import socket
import subprocess
import time
from http.client import HTTPConnection, HTTPException

from django.core.management.base import CommandError

from examples.demo.paths import shown
from examples.demo.processes import Processes

HOST = "127.0.0.1"
SERVER = "server"
START_SECONDS = 30


def check_port(port: int) -> None:
    """Raise CommandError if the port is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(f"Port {port} is in use; choose another one: make demo PORT={port + 1}") from error


def start_server(processes: Processes, *, port: int) -> None:
    """Start `serve` and wait until it is ready. CommandError with its log if it does not start."""
    server = processes.start(SERVER, ["manage.py", "serve", "--host", HOST, "--port", str(port)])
    if not becomes_ready(server, port=port):
        raise CommandError(f"The server did not start; see {shown(processes.logs / 'server.log')}.")


def becomes_ready(server: subprocess.Popen[bytes], *, port: int) -> bool:
    """Wait for /readyz; False if the server ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(port):
        if server.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def is_ready(port: int) -> bool:
    """Check whether the server is ready."""
    probe = HTTPConnection(HOST, port, timeout=5)
    try:
        probe.request("GET", "/readyz")
        return probe.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        probe.close()
