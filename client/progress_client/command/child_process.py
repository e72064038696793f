"""Child processes of `progress run` and `progress each`: their output, their last lines, and signals passed on."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryFile
from types import FrameType
from typing import IO, Any

from progress_client.item_log import LONGEST_LOG

NOT_EXECUTABLE, NO_COMMAND, SIGNALLED = 126, 127, 128
PASSED_ON = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
FROM_TERMINAL = [getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name)]
CHUNK = 1 << 16
LAST_OUTPUT_SECONDS = 2.0  # for output after the end of a command; a daemon that it started may keep the pipe open
GRACE_SECONDS = 10.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Ended:
    """End of a command: exit code as a shell gives it, and the last lines of its output."""

    code: int
    tail: str

    @property
    def error(self) -> str:
        """The reason of a failure in words, empty for a success."""
        if not self.code:
            return ""
        if self.code in (NOT_EXECUTABLE, NO_COMMAND):
            return (self.tail.strip().splitlines() or [f"exit code {self.code}"])[-1]
        with suppress(ValueError):
            return f"ended by {signal.Signals(self.code - SIGNALLED).name}"
        return f"exit code {self.code}"


class ChildProcesses:
    """The running commands of this process; signals that it receives are passed on to them."""

    def __init__(self, *, on_signal: Callable[[], None] | None = None) -> None:
        self.received = 0
        self._on_signal = on_signal
        self._lock = threading.RLock()
        self._running: set[subprocess.Popen[bytes]] = set()
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._pass_on)

    def run(self, words: Sequence[str], *, grouped: bool, stdin: int | None, ends: Callable[[], bool]) -> Ended:
        """Run a command until its end, or until `ends` is true. `grouped` shows its output when it has ended."""
        tail = _Tail()
        try:
            # The words are those of the user's own command line, and no shell reads them.
            process = subprocess.Popen(words, stdin=stdin, stdout=PIPE, stderr=PIPE)  # noqa: S603
        except (OSError, ValueError) as error:
            reason = f"{shlex.quote(words[0])} cannot be run: {getattr(error, 'strerror', None) or error}\n".encode()
            tail.add(reason)
            sys.stderr.buffer.write(reason)
            sys.stderr.flush()
            return Ended(NO_COMMAND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE, tail.text())
        self._begin(process)
        with ExitStack() as files:
            shown = [
                files.enter_context(TemporaryFile()) if grouped else own.buffer for own in (sys.stdout, sys.stderr)
            ]
            sources = zip((process.stdout, process.stderr), shown)
            readers = [threading.Thread(target=_copy, args=(*pair, tail), daemon=True) for pair in sources]
            for reader in readers:
                reader.start()
            code = self._wait(process, ends)
            for reader in readers:
                reader.join(LAST_OUTPUT_SECONDS)
            if grouped:
                self._show(shown)
        return Ended(code if code >= 0 else SIGNALLED - code, tail.text())

    def _begin(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.add(process)
        if self.received:  # it came between the last look and the start
            process.send_signal(self.received)

    def _wait(self, process: subprocess.Popen[bytes], ends: Callable[[], bool]) -> int:
        """Wait for the end; ask the command to end when `ends` is true, and kill it if it does not."""
        patience: float | None = None
        while True:
            try:
                code = process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if patience is None and ends():
                    patience = GRACE_SECONDS
                    process.terminate()
                elif patience is not None:
                    patience -= LOOK_SECONDS
                    if patience <= 0:
                        process.kill()
                continue
            with self._lock:
                self._running.discard(process)
            return code

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on. A terminal sends Ctrl-C to the commands itself. The second signal of `each` kills them."""
        is_second, self.received = bool(self.received), number
        if self._on_signal:
            self._on_signal()
        if number in FROM_TERMINAL and _is_in_foreground() and not is_second:
            return
        for process in list(self._running):
            process.send_signal(signal.SIGKILL if is_second and self._on_signal else number)

    def _show(self, files: Sequence[IO[bytes]]) -> None:
        """Print the output of one command without lines of others in between."""
        with self._lock:
            for file, to in zip(files, (sys.stdout.buffer, sys.stderr.buffer)):
                file.seek(0)
                with suppress(OSError):
                    while content := file.read(CHUNK):
                        to.write(content)
                    to.flush()


class _Tail:
    """The last bytes of the output."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._content = b""

    def add(self, content: bytes) -> None:
        with self._lock:
            self._content = (self._content + content)[-LONGEST_LOG:]

    def text(self) -> str:
        with self._lock:
            return self._content.decode(errors="replace")


def _copy(source: Any, to: IO[bytes], tail: _Tail) -> None:
    """Copy output until its end. If our reader has gone, the command gets SIGPIPE, as without us."""
    with suppress(OSError, ValueError), source:
        while content := source.read1(CHUNK):
            tail.add(content)
            to.write(content)
            to.flush()


def _is_in_foreground() -> bool:
    """Check whether a terminal sends Ctrl-C to this process and its children."""
    try:
        with Path("/dev/tty").open() as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except (OSError, AttributeError):
        return False
