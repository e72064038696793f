"""What an inbound event says, once it keeps its contract."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from jobs import contracts
from jobs.rules import names
from jobs.rules.errors import BadInput
from jobs.tracking import NewItem

PAYLOAD_BYTES = 16 * 1024
TOTALS = ("total_images", "total_keyframes", "total_frames")


@dataclass(frozen=True, slots=True)
class Inbound:
    """An inbound event that keeps its contract."""

    type: str
    data: dict[str, Any]

    @property
    def job(self) -> str:
        """The name of its job."""
        return str(self.data["job_id"])

    @property
    def event_id(self) -> UUID | None:
        """Its id, which only events that list may lack."""
        given = self.data.get("event_id")
        return UUID(given) if given else None

    @property
    def digest(self) -> str:
        """The fingerprint by which the same words are known again."""
        return digest({"type": self.type, "data": self.data})

    def total(self) -> int:
        """The number that it announces, under whichever name; BadInput where two names disagree."""
        given = {name: self.data[name] for name in TOTALS if name in self.data}
        if len(set(given.values())) > 1:
            raise BadInput({f"data.{name}": f"The totals {' and '.join(given)} must be the same." for name in given})
        return int(next(iter(given.values())))

    def items(self) -> list[NewItem]:
        """The assets that it lists, with what else it says of them; BadInput where that is too much."""
        if "frames" not in self.data:
            payload = _without(self.data, "job_id", "event_id", "image_id")
            return [_item(self.data["image_id"], payload, field="data")]
        video = {"video_id": self.data["video_id"]}
        return [
            _item(frame["frame_id"], {**_without(frame, "frame_id"), **video}, field=f"data.frames[{place}]")
            for place, frame in enumerate(self.data["frames"])
        ]


def inbound(message: dict[str, Any]) -> Inbound:
    """The event that a message `{"type", "data"}` is; BadInput names what breaks its contract."""
    name, data = message.get("type"), message.get("data")
    if not isinstance(name, str) or name not in contracts.inbound():
        known = ", ".join(contracts.inbound())
        raise BadInput({"type": f"There is no inbound event of type {str(name)[:120]!r}; there are: {known}."})
    faults = contracts.faults(name, data)
    if faults or not isinstance(data, dict):
        raise BadInput({f"data.{fault.field}".rstrip("."): fault.detail for fault in faults})
    return Inbound(name, {**data, "job_id": names.clean(data["job_id"], field="data.job_id")})


def digest(message: Any) -> str:
    """The fingerprint of a message, whatever the order of its fields."""
    return hashlib.sha256(msgspec.json.encode(message, order="sorted")).hexdigest()


def _item(key: str, payload: dict[str, Any], *, field: str) -> NewItem:
    if len(msgspec.json.encode(payload)) > PAYLOAD_BYTES:
        raise BadInput({field: "This has more than 16 KiB of JSON."})
    return NewItem(key, payload=payload)


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
