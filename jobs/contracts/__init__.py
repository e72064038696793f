"""Contracts: one JSON Schema for each type of inbound and outward event.

Those of the kernel are beside this module; a pipeline brings its own folder (`Kind.contracts`). A file describes
the `data` of an event, with examples. `phase.completed`, `phase.failed` and `phase.amended` stand for the events of
every phase, whose types begin with the code of the phase.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from jobs.rules import pipelines

HERE = Path(__file__).parent
MOST_FAULTS = 20
INBOUND, OUTWARD = "inbound", "outward"
OF_EVERY_PHASE = (".completed", ".failed", ".amended")
SENTENCES = {"required": "This field is required.", "additionalProperties": "This field is unknown."}


@dataclass(frozen=True, slots=True)
class Contract:
    """The data of one type of event. For those of every phase, `type` begins with `phase`: `phase.completed`."""

    type: str
    direction: str
    version: int
    description: str
    schema: dict[str, Any]
    examples: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Fault:
    """An error in one field, such as `frames[3].frame_id`; no field means the whole data."""

    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}" if self.field else self.detail


def _is_integer(_: Any, value: Any) -> bool:
    """Accept whole numbers only: neither 3.0 nor true, which JSON Schema and Python would accept."""
    return isinstance(value, int) and not isinstance(value, bool)


_checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
Validator = extend(Draft202012Validator, type_checker=_checker)


def all() -> tuple[Contract, ...]:
    """Return every contract, inbound ones first, by type."""
    return tuple(_by_type(_folders()).values())


def get(type: str) -> Contract | None:
    """Return the contract of an event of this type, or None where there is none."""
    found = _by_type(_folders())
    for ending in OF_EVERY_PHASE:
        if type not in found and type.endswith(ending):
            return found[f"phase{ending}"]
    return found.get(type)


def faults(type: str, data: Any) -> list[Fault]:
    """Return the errors in the data of an event of this type, at most 20; none where the data fit the contract."""
    if get(type) is None:
        return [Fault("type", f"There is no contract for {type!r}.")]
    found = islice(_validator(type).iter_errors(data), MOST_FAULTS)
    return [_fault(error) for error in sorted(found, key=_order)]


def check(type: str, data: Any) -> list[str]:
    """Return the errors as sentences, each beginning with the name of its field."""
    return [str(fault) for fault in faults(type, data)]


def _contract(schema: dict[str, Any]) -> Contract:
    return Contract(
        type=schema["title"],
        direction=schema["direction"],
        version=schema["version"],
        description=schema["description"],
        schema=schema,
        examples=schema["examples"],
    )


def _folders() -> tuple[Path, ...]:
    return (HERE, *pipelines.contract_folders())


@cache
def _by_type(folders: tuple[Path, ...]) -> dict[str, Contract]:
    paths = [path for folder in folders for path in folder.glob("*.json")]
    found = [_contract(json.loads(path.read_text(encoding="utf-8"))) for path in paths]
    return {each.type: each for each in sorted(found, key=lambda contract: (contract.direction, contract.type))}


def _validator(type: str) -> Any:
    contract = get(type)
    assert contract is not None
    return _compiled(_folders(), contract.type)


@cache
def _compiled(folders: tuple[Path, ...], type: str) -> Any:
    schema = _by_type(folders)[type].schema
    return Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _order(error: ValidationError) -> tuple[str, str]:
    return error.json_path, error.message


def _fault(error: ValidationError) -> Fault:
    """Return the error with its field. For a missing or unknown field the validator names only the object around it."""
    path = error.json_path.removeprefix("$").removeprefix(".")
    if error.validator == "anyOf":
        names = [option["required"][0] for option in error.validator_value]
        return Fault(f"{path}.{names[0]}".lstrip("."), f"One of {', '.join(names)} is required.")
    if error.validator in SENTENCES:
        return Fault(f"{path}.{_named(error)}".lstrip("."), SENTENCES[str(error.validator)])
    return Fault(path, f"{_short(error)}.")


def _named(error: ValidationError) -> str:
    given = error.instance
    if error.validator == "required":
        return next(name for name in error.validator_value if name not in given and f"{name!r} is" in error.message)
    return next(name for name in given if name not in error.schema["properties"])


def _short(error: ValidationError) -> str:
    """Return the validator's sentence, without the value that it quotes where that is long."""
    message = error.message
    return message if len(message) <= 200 else f"The value does not fit {error.validator}: {error.validator_value}"
