"""The progress bar: on a terminal only, tqdm's where there is one."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from progress_client import Client, bar

from tests.examples.site import Site

PHASE: dict[str, Any] = {
    "expected": 100,
    "done": 55,
    "skipped": 3,
    "failed": 1,
    "percent": 58,
    "rate_per_minute": 24.0,
    "eta_seconds": 105,
}
UNKNOWN = {**PHASE, "expected": None, "percent": None, "rate_per_minute": None, "eta_seconds": None}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    monkeypatch.setattr(bar, "sys", SimpleNamespace(stderr=made, modules={}))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(bar, "tqdm", None)
    return made


@pytest.mark.parametrize(
    ("phase", "width", "line"),
    [
        (PHASE, 70, "b_1  58% ━━━━━━━━━━━━━━━━────────────  58/100 · 1 failed · 24/min · 1:45"),
        (PHASE, 30, "b_1  58% 58/100 · 1 failed · 2"),
        (UNKNOWN, 50, "b_1   ?% ─────────────────────── 58/? · 1 failed"),
    ],
)
def test_the_line_fits_the_terminal(phase: dict[str, Any], width: int, line: str) -> None:
    said = bar.line("b_1", phase, width=width)
    assert len(said) <= width
    assert said.split("━")[0].split("─")[0] == line.split("━")[0].split("─")[0]
    assert said.endswith(line.rpartition("─")[2].strip())


@pytest.mark.parametrize(("seconds", "text"), [(5, "0:05"), (105, "1:45"), (7389, "2:03:09")])
def test_times_read_like_a_clock(seconds: int, text: str) -> None:
    assert bar.clock(seconds) == text


def test_the_loop_draws_the_whole_phase(terminal: Terminal, client: Client, name: str) -> None:
    job = client.job(name, items=["a", "b"])
    job.report([{"key": "a", "status": "completed"}])
    for item in job.claim():
        with item:
            pass
    drawn = terminal.getvalue()
    assert drawn.startswith(f"\r{name}")
    assert "100% " in drawn
    assert " 2/2" in drawn
    assert drawn.endswith("\n")


def test_there_is_none_away_from_a_terminal_or_where_none_is_wanted(
    terminal: Terminal, client: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bar.bar("b", wanted=False) is None
    assert bar.bar("b", wanted=None) is not None
    monkeypatch.setenv("TERM", "dumb")
    assert bar.bar("b", wanted=None) is None
    monkeypatch.setattr(bar, "sys", SimpleNamespace(stderr=io.StringIO(), modules={}))
    assert bar.bar("b", wanted=None) is None


def test_the_line_is_drawn_ten_times_a_second_at_most(site: Site) -> None:
    out = io.StringIO()
    line = bar.LineBar("b", out)
    for _ in range(1000):
        line.show(PHASE)
    assert out.getvalue().count("\r") < 10
    line.close()
    line.show(PHASE)
    assert out.getvalue().endswith("\n")


def test_tqdm_is_told_the_numbers_of_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, Any] = {}

    class Tqdm:
        total = n = None

        def __init__(self, **options: Any) -> None:
            shown.update(options)

        def set_postfix(self, **facts: Any) -> None:
            shown.update(facts)

        def refresh(self) -> None:
            shown.update(total=self.total, n=self.n)

        def close(self) -> None:
            shown.update(closed=True)

    monkeypatch.setattr(bar, "tqdm", Tqdm)
    made = bar.bar("b", wanted=True)
    assert made is not None
    made.show(PHASE)
    made.close()
    assert {name: shown[name] for name in ("desc", "total", "n", "failed", "closed")} == {
        "desc": "b",
        "total": 100,
        "n": 59,
        "failed": 1,
        "closed": True,
    }
