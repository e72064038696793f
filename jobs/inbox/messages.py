"""Inbound events: messages that fit the contract of their type."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from jobs import contracts
from jobs.rules import names, pipelines
from jobs.rules.errors import BadInput
from jobs.tracking import NewItem

PAYLOAD_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Inbound:
    """An event that fits its contract. The contract of every inbound type has a `job_id`, the name of the job."""

    type: str
    data: dict[str, Any]

    @property
    def job(self) -> str:
        """The name of its job."""
        return str(self.data["job_id"])

    @property
    def event_id(self) -> UUID | None:
        """Its id; a type may allow events without one."""
        given = self.data.get("event_id")
        return UUID(given) if given else None

    @property
    def digest(self) -> str:
        """The fingerprint by which a repeated event is recognised."""
        return digest({"type": self.type, "data": self.data})


def parse_event(message: dict[str, Any]) -> Inbound:
    """Return the event of a message `{"type", "data"}`; BadInput names the fields that break its contract."""
    name, data = message.get("type"), message.get("data")
    if not isinstance(name, str) or pipelines.accepting(name) is None:
        known = ", ".join(pipelines.inbound_types())
        raise BadInput({"type": f"There is no inbound event of type {str(name)[:120]!r}; there are: {known}."})
    faults = contracts.faults(name, data)
    if faults or not isinstance(data, dict):
        raise BadInput({f"data.{fault.field}".rstrip("."): fault.detail for fault in faults})
    return Inbound(name, {**data, "job_id": names.clean(data["job_id"], field="data.job_id")})


def new_item(key: str, payload: dict[str, Any], *, field: str) -> NewItem:
    """Return a new item with this payload; BadInput names the field where the payload is too large."""
    if len(msgspec.json.encode(payload)) > PAYLOAD_BYTES:
        raise BadInput({field: f"Send at most {PAYLOAD_BYTES // 1024} KiB of JSON for an item."})
    return NewItem(key, payload=payload)


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return these fields but the named ones."""
    return {name: value for name, value in fields.items() if name not in names}


def digest(message: Any) -> str:
    """Return the fingerprint of a message, independent of the order of its fields."""
    return hashlib.sha256(msgspec.json.encode(message, order="sorted")).hexdigest()
