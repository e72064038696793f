"""Findings of the doctor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, and what to do unless it is ok."""

    check: str
    status: Status
    text: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the finding for a terminal."""
        shown = [f"{self.status:<8} {self.check:<12} {self.text}"]
        return [*shown, f"{'':<21} → {self.remedy}"] if self.remedy else shown


def ok(check: str, text: str) -> Finding:
    """Return a finding of a check that has passed."""
    return Finding(check, "ok", text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Return a finding that does not stop the site."""
    return Finding(check, "warning", text, remedy)


def fault(check: str, text: str, remedy: str) -> Finding:
    """Return a finding that must be mended."""
    return Finding(check, "fault", text, remedy)
