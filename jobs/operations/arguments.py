"""Arguments of operator acts: their types and bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct, inspect, structs

from jobs.rules.field_types import Sentence

RestartScope = Literal["all", "failed"]


class ActInput(Struct, forbid_unknown_fields=True, frozen=True, gc=False, kw_only=True):
    """The reason of an act; the base of every act's arguments."""

    reason: Sentence = ""


def argument_fields(arguments: type[ActInput]) -> tuple[inspect.Field, ...]:
    """Return the fields of these arguments, the type of an optional one without None."""
    info = inspect.type_info(arguments)
    assert isinstance(info, inspect.StructType)
    return tuple(
        field if field.required else structs.replace(field, type=_without_none(field.type)) for field in info.fields
    )


def _without_none(kind: inspect.Type) -> inspect.Type:
    types = [each for each in getattr(kind, "types", ()) if not isinstance(each, inspect.NoneType)]
    return types[0] if len(types) == 1 else kind


def number_or_none(kind: inspect.Type) -> inspect.IntType | None:
    """Return the type of the number where every call gives a number or null; None for every other argument."""
    if isinstance(kind, inspect.UnionType):
        return next((each for each in kind.types if isinstance(each, inspect.IntType)), None)
    return None


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

    def stored(self) -> dict[str, Any]:
        """Return the fields as a bulk act stores them: without the items, which each target stores for itself."""
        named = ("phase", "signature", "all", "only", "threshold")
        extra = {"extra": dict(self.extra)} if self.extra else {}
        return {name: getattr(self, name) for name in named} | extra

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
