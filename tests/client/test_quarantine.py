"""A claim loop whose worker is quarantined waits, and tells the person who runs it."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from progress_client.claim_loop import QUARANTINE_WAIT, ClaimLoop, ClaimOptions


class Answers(ClaimLoop):
    """A loop over given answers of the server; it records its waits."""

    subject = "phase ocr of job 7"

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.waits: list[float] = []
        stop = SimpleNamespace(is_set=lambda: False, wait=self.waits.append)
        outbox = SimpleNamespace(error=None, adopt=lambda: False, flush=lambda **_: None)
        session = SimpleNamespace(stop=stop, outbox=outbox, cancelled=set())
        super().__init__(session, ClaimOptions("gpu-1", 4, 90, wait=True))  # type: ignore[arg-type]
        self._answers = iter(answers)

    def claim(self) -> dict[str, Any]:
        """Return the next answer."""
        return next(self._answers, {"items": [], "reason": "closed"})


def empty(reason: str) -> dict[str, Any]:
    """An answer without items."""
    return {"items": [], "reason": reason}


def test_it_waits_longer_and_warns_once_until_it_gets_items_again(caplog: pytest.LogCaptureFixture) -> None:
    item = SimpleNamespace(lost=False, job=7)
    answers = [empty("none_pending"), *[empty("quarantined")] * 3, {"items": [item], "reason": None}]
    # The loop may claim ahead while the item is in work; it ignores an answer without items.
    loop = Answers(*answers, *[empty("none_pending")] * 2)
    with caplog.at_level(logging.WARNING):
        assert loop.next() is item
        assert loop.next() is None
    began, ended = (record.getMessage() for record in caplog.records)
    assert began.startswith("gpu-1 is quarantined: its last items all failed")
    assert "phase ocr of job 7" in began
    assert ended == "gpu-1 gets items of phase ocr of job 7 again."
    assert loop.waits[1:4] == [QUARANTINE_WAIT] * 3
    assert loop.waits[0] < 1
    assert loop.waits[4:]
    assert all(wait < 1 for wait in loop.waits[4:])
