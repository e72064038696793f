"""The journal: what was written is there for the next process, once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from progress_client import journal
from progress_client.errors import ProgressError
from progress_client.journal import Journal

from tests.client.grounds import PACKAGE

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
    """A process has written this many outcomes, told two, and was killed."""
    command = [sys.executable, "-c", DIES, str(folder), name, server, str(outcomes)]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": str(PACKAGE)}, check=False).returncode == -9


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


def test_a_file_says_which_server_it_is_for() -> None:
    raw = b'{"progress_client": 1, "server": "http://a"}\n{"n":1,"entry":{"n":1}}\n'
    assert journal.waiting(raw, server="http://a") == {1: {"n": 1}}
    assert journal.waiting(raw, server="http://b") == {}
