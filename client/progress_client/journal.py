"""Journal file: outcomes that the server has not confirmed yet.

Each outcome is a line, written before the first attempt to send it, so that a killed process loses no outcome. `sync`
flushes the file to disk, against a power failure. A second line with its number marks an outcome as confirmed. The file
is rewritten when it has grown, and deleted if it is empty when its process ends.

Each line ends in a checksum. A damaged line is moved to a file beside the journal (`.damaged`); the others are used.

The process holds a lock on its file. A file without a lock belongs to a dead process, and the next process takes over
its outcomes. Without `fcntl` (Windows) a process takes over only the files of its own name.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import threading
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from progress_client import forks
from progress_client.errors import ProgressError
from progress_client.records import Entry, line, parse, waiting

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

VERSION = 1
LARGE = 4 * 2**20
MOST_NAMES = 1000

__all__ = ["Journal", "waiting"]


class Journal:
    """Journal file of one process for one server, in a folder that processes share."""

    def __init__(self, folder: Path, *, name: str, server: str) -> None:
        self._folder = folder
        self._server = server
        self._mark = blake2b(server.encode(), digest_size=4).hexdigest()
        self._lock = threading.Lock()
        self._torn = False
        self._dirty = False
        self._waiting: dict[int, bytes] = {}
        self._last = 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path, self._file = self._own(name)
        except OSError as error:
            raise ProgressError(
                f"The journal folder {folder} is not writable ({error.strerror}). Set PROGRESS_JOURNAL to a writable"
                f" folder, or use journal=None: then outcomes that are not sent yet are lost when the process dies."
            ) from error
        try:
            self.left = self._load()
        except BaseException:
            forks.close_file(self._file)
            raise

    def append(self, entry: Entry) -> int:
        """Write an outcome to the operating system and return its number."""
        with self._lock:
            self._last += 1
            text = self._waiting[self._last] = line({"n": self._last, "entry": entry})
            self._write(text)
            return self._last

    def forget(self, numbers: Iterable[int]) -> None:
        """Mark outcomes as confirmed."""
        gone = list(numbers)
        with self._lock:
            for number in gone:
                self._waiting.pop(number, None)
            self._write(line({"told": gone}))
            if self._size > LARGE and self._size > 2 * sum(map(len, self._waiting.values())):
                self._rewrite()

    def reject(self, number: int) -> None:
        """Move an invalid outcome to the file of damaged lines."""
        self._set_aside(self.path, [self._waiting[number].rstrip()])
        self.forget([number])

    def sync(self) -> None:
        """Flush the file to disk."""
        if self._dirty:
            self._dirty = False
            with contextlib.suppress(OSError):
                os.fsync(self._file)

    def adopt(self) -> list[tuple[int, Entry]]:
        """Take over the outcomes of dead processes; return each with its new number in this file."""
        found = []
        for path in sorted(self._folder.glob(f"*-{self._mark}*.jsonl")) if fcntl else ():
            if path != self.path:
                found += self._take_over(path)
        return found

    def close(self) -> None:
        """Release the file; delete it if it is empty."""
        with self._lock:
            if not self._waiting:
                with contextlib.suppress(OSError):
                    self.path.unlink()
            forks.close_file(self._file)

    # --- the file --------------------------------------------------------------------------------

    def _own(self, name: str) -> tuple[Path, int]:
        """Open and lock the first file of this name that no live process has locked."""
        plain = re.sub(r"[^A-Za-z0-9._]+", "_", name)[:80] or "worker"
        for number in range(1, MOST_NAMES):
            path = self._folder / f"{plain}-{self._mark}{f'.{number}' if number > 1 else ''}.jsonl"
            file = opened(path, create=True)
            if file is not None:
                return path, file
        raise ProgressError(
            f"All journal names like {path.name} are in use in {self._folder}. Give the client another worker name."
        )

    def _load(self) -> list[tuple[int, Entry]]:
        """Load the outcomes that an earlier process left in this file."""
        raw = read_all(self._file)
        content = parse(raw)
        self._size = len(raw) - content.torn
        if content.torn:
            self._cut_off()
        if not self._size:
            self._write(self._header())
        self._torn = self._torn or (bool(raw) and not content.torn and not raw.endswith(b"\n"))
        left = content.waiting
        self._waiting = {number: line({"n": number, "entry": entry}) for number, entry in left.items()}
        self._last = max(left, default=0)
        if content.damaged and self._set_aside(self.path, content.damaged):
            self._rewrite()
        return list(left.items())

    def _take_over(self, path: Path) -> list[tuple[int, Entry]]:
        try:
            file = opened(path, create=False)
        except OSError:
            return []
        if file is None:
            return []
        try:
            found = self._moved(path, file)
        except OSError as error:
            log.error("cannot take over the outcomes in %s: %s", path, error)
            return []
        finally:
            forks.close_file(file)
        if found:
            log.info("took over %d unsent outcomes of %s", len(found), path.stem)
        return found

    def _moved(self, path: Path, file: int) -> list[tuple[int, Entry]]:
        """Move the outcomes of a dead process to our file; none if they do not fit on the disk."""
        content = parse(read_all(file))
        if content.server not in ("", self._server):
            return []
        with self._lock:
            entries = dict(enumerate(content.waiting.values(), self._last + 1))
            lines = {number: line({"n": number, "entry": entry}) for number, entry in entries.items()}
            if lines and not self._write(b"".join(lines.values())):
                return []
            self._last += len(lines)
            self._waiting.update(lines)
        self.sync()
        if content.damaged and not self._set_aside(path, content.damaged):
            path.replace(path.with_suffix(f".{os.getpid()}.damaged"))
        else:
            os.ftruncate(file, 0)
            path.unlink()
        return list(entries.items())

    def _set_aside(self, path: Path, lines: list[bytes]) -> bool:
        """Append damaged lines to the `.damaged` file; False if it cannot be written."""
        beside = damaged_of(path)
        log.error("the journal %s is damaged; lines moved to %s: %d", path, beside, len(lines))
        try:
            with open(beside, "ab", opener=_private) as file:
                file.write(b"".join(text + b"\n" for text in lines))
        except OSError as error:
            log.error("%s cannot be written: %s", beside, error)
            return False
        return True

    def _header(self) -> bytes:
        return line({"progress_client": VERSION, "server": self._server})

    def _write(self, lines: bytes) -> bool:
        """Append lines. A full disk must not stop the worker: log it and keep the outcome in memory."""
        text = b"\n" + lines if self._torn else lines
        try:
            written = os.write(self._file, text)
            if written != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            log.error("the journal %s cannot be written: %s", self.path, error)
            self._cut_off()
            return False
        self._torn = False
        self._size += written
        self._dirty = True
        return True

    def _cut_off(self) -> None:
        """Remove a half-written line from the end of the file, or start a new line after it."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._torn = True

    def _rewrite(self) -> None:
        """Rewrite the file with the waiting outcomes only; a crash leaves the old file or the new one."""
        new = self.path.with_suffix(f".{os.getpid()}.new")
        content = self._header() + b"".join(self._waiting.values())
        file = -1
        try:
            file = forks.open_file(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            _lock_file(file)
            if os.write(file, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file)
            new.replace(self.path)
        except OSError as error:
            log.error("the journal %s cannot be rewritten: %s", self.path, error)
            if file >= 0:
                forks.close_file(file)
                with contextlib.suppress(OSError):
                    new.unlink()
            return
        forks.close_file(self._file)
        self._file, self._size, self._torn = file, len(content), False


def opened(path: Path, *, create: bool) -> int | None:
    """Open and lock a file; None if a live process has locked it. OSError if it cannot be opened."""
    while True:
        file = forks.open_file(path, os.O_RDWR | os.O_APPEND | (os.O_CREAT if create else 0))
        if not _lock_file(file):
            forks.close_file(file)
            return None
        if _is_at(path, file):
            return file
        forks.close_file(file)


def read_all(file: int) -> bytes:
    """Read an open file from its start."""
    return os.pread(file, os.fstat(file).st_size, 0) if hasattr(os, "pread") else _read_slowly(file)


def _read_slowly(file: int) -> bytes:
    os.lseek(file, 0, os.SEEK_SET)
    return os.read(file, os.fstat(file).st_size)


def _lock_file(file: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(path: Path, file: int) -> bool:
    """Check that the path still names this file: another process may have replaced it before we got the lock."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except OSError:
        return False


def damaged_of(path: Path) -> Path:
    """Return the path of the damaged lines of a journal."""
    return path.with_suffix(".damaged")


def _private(path: str, flags: int) -> int:
    """Open a file with permissions for its owner only."""
    return os.open(path, flags, 0o600)
