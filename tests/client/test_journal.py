"""The journal: what was written is there for the next process, once."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from progress_client import Client, journal, records
from progress_client.errors import ProgressError
from progress_client.journal import Journal

from tests.client.grounds import PACKAGE
from tests.examples.site import Site

URL = "http://127.0.0.1:8000"
DIES = """
import os, sys
from pathlib import Path
from progress_client.journal import Journal
made = Journal(Path(sys.argv[1]), name=sys.argv[2], server=sys.argv[3])
numbers = [made.append({"n": n}) for n in range(int(sys.argv[4]))]
made.forget(numbers[:2])
os.kill(os.getpid(), 9)
"""


def made(folder: Path, name: str = "w1", *, server: str = URL) -> Journal:
    return Journal(folder, name=name, server=server)


def dead(folder: Path, name: str = "w1", *, server: str = URL, outcomes: int = 5) -> None:
    """A process has written this many outcomes, sent two, and was killed."""
    command = [sys.executable, "-c", DIES, str(folder), name, server, str(outcomes)]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": str(PACKAGE)}, check=False).returncode == -9


def descriptors() -> int:
    """Count the open files of this process."""
    return len(list(Path("/dev/fd").iterdir()))


@contextmanager
def full_disk(*paths: Path) -> Iterator[None]:
    """Refuse every write to these files, as a full disk does."""
    write = os.write

    def refuse(file: int, text: bytes) -> int:
        if Path(f"/proc/self/fd/{file}").readlink() in paths:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", refuse)
        yield


def left(entries: list[tuple[int, dict[str, int]]]) -> list[int]:
    return [entry["n"] for _, entry in entries]


def test_a_killed_process_loses_nothing_that_it_wrote_and_told_is_told(folder: Path) -> None:
    dead(folder)
    assert left(made(folder).left) == [2, 3, 4]


def test_the_next_process_takes_over_whatever_its_name_and_deletes_the_file(folder: Path) -> None:
    dead(folder, "host-1")
    dead(folder, "host-2")
    own = made(folder, "host-3")
    adopted = own.adopt()
    assert left(adopted) == [2, 3, 4, 2, 3, 4]
    assert list(folder.iterdir()) == [own.path]
    own.forget([number for number, _ in adopted])
    assert made(folder, "host-4").adopt() == []


def test_a_living_process_keeps_its_file(folder: Path) -> None:
    living = made(folder)
    living.append({"n": 1})
    assert made(folder, "w2").adopt() == []
    assert made(folder).path != living.path


def test_the_outcomes_for_another_server_are_left_alone(folder: Path) -> None:
    dead(folder, server="http://elsewhere:8000")
    assert made(folder).adopt() == []
    assert left(made(folder, "w9", server="http://elsewhere:8000").adopt()) == [2, 3, 4]


@pytest.mark.parametrize("rest", [b'{"n":9,"entry":{"n":9}', b"\x00\xff", b'{"n"'])
def test_a_half_written_last_line_is_ignored_and_what_comes_after_it_is_not(folder: Path, rest: bytes) -> None:
    dead(folder)
    [path] = folder.iterdir()
    with path.open("ab") as file:
        file.write(rest)
    first = made(folder)
    assert left(first.left) == [2, 3, 4]
    first.append({"n": 10})
    first.close()
    assert left(made(folder).left) == [2, 3, 4, 10]


def test_a_file_without_anything_left_is_deleted(folder: Path) -> None:
    own = made(folder)
    own.forget([own.append({"n": 1})])
    own.close()
    assert list(folder.iterdir()) == []


def test_a_file_that_has_grown_is_written_anew_and_stays_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LARGE", 2000)
    own = made(folder)
    kept = own.append({"n": -1})
    for number in range(200):
        own.forget([own.append({"n": number})])
    assert own.path.stat().st_size < 4000
    assert made(folder, "w2").adopt() == []
    own.close()
    assert made(folder).left == [(kept, {"n": -1})]


def test_a_folder_that_cannot_be_written_is_refused_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProgressError, match="PROGRESS_JOURNAL"):
        made(tmp_path / "file")


def test_a_full_disk_stops_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = made(folder)

    def full(file: int, text: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        own.append({"n": 1})
    own.append({"n": 2})
    own.close()
    assert left(made(folder).left) == [2]


def test_a_full_disk_costs_no_descriptor_and_leaves_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LARGE", 100)
    own = made(folder)
    new = own.path.with_suffix(f".{os.getpid()}.new")
    kept = own.append({"n": -1})
    before = descriptors()
    with full_disk(new):
        for number in range(20):
            own.forget([own.append({"n": number})])
    assert descriptors() == before
    assert list(folder.iterdir()) == [own.path]
    own.forget([own.append({"n": 20})])
    own.close()
    assert made(folder).left == [(kept, {"n": -1})]


def test_a_journal_that_cannot_be_read_costs_no_descriptor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(folder)
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", lambda *where: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(OSError, match="Input/output"):
            made(folder)
        with pytest.raises(OSError, match="Input/output"):
            made(folder)
    assert descriptors() == before
    assert left(made(folder).left) == [2, 3, 4]


def test_outcomes_are_sent_while_the_disk_is_full(site: Site, client: Client, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    probe = Journal(folder, name="full", server=site.url)
    probe.close()
    job = client.job(name, items=map(str, range(30)))
    with full_disk(probe.path), Client(site.url, token=site.token, worker="full", journal=folder) as full:
        own = full.open(job.id)
        own.tell("0")
        assert full.flush(timeout=10)
        before = descriptors()
        for number in range(1, 30):
            own.tell(str(number))
        assert full.flush(timeout=10)
        assert descriptors() == before
    assert job.refresh().body["phases"][0]["done"] == 30


def test_what_cannot_be_taken_over_for_want_of_room_stays_where_it_is(folder: Path) -> None:
    dead(folder, "w1")
    full = made(folder, "w2")
    with full_disk(full.path):
        assert full.adopt() == []
    assert left(made(folder, "w3").adopt()) == [2, 3, 4]


def test_a_flipped_bit_costs_the_line_that_it_is_in_and_no_other(folder: Path, tmp_path: Path) -> None:
    dead(folder)
    [path] = folder.iterdir()
    raw = path.read_bytes()
    entries = {number: {"n": number - 1} for number in (3, 4, 5)}
    assert records.parse(raw) == records.Content(server=URL, waiting=entries)
    ends = [place for place, byte in enumerate(raw) if byte == ord("\n")]
    for bit in range(len(raw) * 8):
        place = bit // 8
        content = records.parse(flipped(raw, bit))
        line = sum(end < place for end in ends)
        # Lines: the server, five outcomes, and that two of them were confirmed.
        lost = {line} if place not in ends else set()
        confirmed = {1, 2} if line == 6 and place not in ends else set()
        assert set(content.waiting) == ({3, 4, 5} | confirmed) - lost, bit
        assert all(content.waiting[number] == {"n": number - 1} for number in content.waiting)
        assert len(content.damaged) == (place not in ends), bit


@pytest.mark.parametrize("line", range(7))
@pytest.mark.parametrize("name", ["w1", "w2"])
def test_a_damaged_line_is_set_aside_with_a_line_in_the_log(
    folder: Path, caplog: pytest.LogCaptureFixture, line: int, name: str
) -> None:
    dead(folder)
    [path] = folder.iterdir()
    lines = path.read_bytes().split(b"\n")
    lines[line] = flipped(lines[line], 50)
    path.write_bytes(b"\n".join(lines))
    own = made(folder, name)
    found = [number for number in left(own.left or own.adopt()) if number >= 2]
    assert found == [number for number in (2, 3, 4) if number != line - 1]
    beside = path.with_suffix(".damaged")
    assert beside.read_bytes() == lines[line] + b"\n"
    assert beside.stat().st_mode & 0o777 == 0o600
    assert f"the journal {path} is damaged; lines moved to {beside}: 1" in caplog.text
    assert b"\n".join(lines[line : line + 1]) not in own.path.read_bytes()
    own.close()
    assert left(made(folder, name).left)[-len(found) :] == found


@pytest.mark.parametrize("entry", [{}, {"job": [], "phase": "a", "result": {}}, {"job": 1, "phase": 2, "result": {}}])
def test_an_entry_that_says_no_outcome_keeps_no_worker_from_starting(
    site: Site, client: Client, name: str, folder: Path, entry: dict[str, Any]
) -> None:
    own = Journal(folder, name="odd", server=site.url)
    own.append(entry)
    client.job(name, items=["a"])
    own.append({"job": client.find(name).id, "phase": "items", "result": {"key": "a", "status": "completed"}})  # type: ignore[union-attr]
    own.close()
    assert client.replay(timeout=10)
    assert client.find(name).status == "completed"  # type: ignore[union-attr]
    assert client.replay(timeout=10)
    [beside] = folder.glob("*.damaged")
    assert len(beside.read_bytes().splitlines()) == 1


def test_a_file_of_an_earlier_version_is_read_line_by_line(folder: Path) -> None:
    raw = (
        b'{"progress_client": 1, "server": "%s"}\n{"n":1,"entry":{"n":1}}\n{"n":2,"entry":{"n":2}}\n{"told":[1]}\n'
        b'{"m":3,"entry":{"n":3}}\n{"n":[4],"entry":{"n":4}}\n{"told":5}\n\xff\n[]\n{"n":6,"entry":{"n":6}}\n'
    ) % URL.encode()
    old = made(folder)
    old.close()
    path = old.path
    path.write_bytes(raw)
    assert left(made(folder, "w2").adopt()) == [2, 6]
    assert len(path.with_suffix(".damaged").read_bytes().splitlines()) == 5


def test_the_file_of_another_server_is_neither_read_nor_deleted(folder: Path) -> None:
    own = made(folder)
    own.append({"n": 1})
    own.close()
    raw = own.path.read_bytes()
    other = made(folder, "w2", server="http://elsewhere:8000")
    moved = own.path.rename(other.path.with_name(f"old{other.path.name}"))
    assert other.adopt() == []
    assert moved.read_bytes() == raw


def flipped(raw: bytes, bit: int) -> bytes:
    place, number = divmod(bit, 8)
    return raw[:place] + bytes([raw[place] ^ 1 << number]) + raw[place + 1 :]


def test_a_file_says_which_server_it_is_for() -> None:
    raw = b'{"progress_client": 1, "server": "http://a"}\n{"n":1,"entry":{"n":1}}\n'
    assert journal.waiting(raw, server="http://a") == {1: {"n": 1}}
    assert journal.waiting(raw, server="http://b") == {}
