"""Child processes of the demo, each with its log, stopped in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

STOP_SECONDS = 15


class Processes:
    """Python scripts, each run in its own session, so that Ctrl-C reaches only the parent."""

    def __init__(self, root: Path, *, logs: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.logs = logs
        self.environment = environment
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a script; its output goes to `<name>.log`."""
        with (self.logs / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.running[name]

    def run(self, name: str, arguments: Sequence[str]) -> int:
        """Run a script to its end and return its exit code."""
        code = self.start(name, arguments).wait()
        del self.running[name]
        return code

    def ended(self) -> list[tuple[str, int]]:
        """Return names and exit codes of the processes that ended since the last call; a signal is a negative code."""
        over = [(name, process.returncode) for name, process in self.running.items() if process.poll() is not None]
        for name, _ in over:
            del self.running[name]
        return over

    def stop(self, *, last: str) -> None:
        """Stop all processes; `last` is stopped after the others have ended."""
        others = [process for name, process in self.running.items() if name != last]
        terminate(others)
        terminate([process for process in self.running.values() if process not in others])
        self.running.clear()


def terminate(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Terminate processes and their children, and kill those that do not end in time."""
    for process in processes:
        signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(timeout=max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            signal_group(process, signal.SIGKILL)
            process.wait()


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and its children, unless it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, number)
