"""Arguments of operator acts: their types and bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from jobs.rules.limits import CODE_LENGTH, ERROR_LENGTH, LARGEST_INTEGER, MOST_ITEMS, REASON_LENGTH

Percentage = Annotated[int, Meta(ge=0, le=100)]
Code = Annotated[str, Meta(min_length=1, max_length=CODE_LENGTH, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$(?!\n)")]
AnyCode = Annotated[str, Meta(max_length=CODE_LENGTH)]
Reason = Annotated[str, Meta(max_length=REASON_LENGTH)]
Fingerprint = Annotated[str, Meta(max_length=ERROR_LENGTH)]
Ids = Annotated[list[Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]], Meta(max_length=MOST_ITEMS)]
RestartScope = Literal["all", "failed"]


class ActInput(Struct, forbid_unknown_fields=True, frozen=True, gc=False, kw_only=True):
    """The reason of an act; the base of every act's arguments."""

    reason: Reason = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a job that an act is about, as pages and bulk acts hold it. Empty fields mean the whole job.

    `extra` holds arguments of an act that the other fields do not name, as (name, value) pairs.
    """

    phase: str = ""
    items: tuple[int, ...] = ()
    signature: str = ""
    all: bool = False
    only: RestartScope = "all"
    threshold: int | None = None
    extra: tuple[tuple[str, Any], ...] = ()

    def values(self) -> dict[str, Any]:
        """Return the fields under the names that acts use for their arguments."""
        return {
            "phase": self.phase,
            "items": self.items or None,
            "error_signature": self.signature,
            "all": self.all,
            "only": self.only,
            "threshold": self.threshold,
            **dict(self.extra),
        }
