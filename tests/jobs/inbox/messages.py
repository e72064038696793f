"""Events as producers send them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from jobs import inbox
from jobs.inbox import Ingested
from jobs.models import Event, InboxMessage, Item, Job, Phase
from jobs.tracking import Actor
from tests.factories import outward, phase_of

SERVED = ("video.embeddings", "video.keypoints")
PRODUCER = Actor(name="producer")
TOTALS = {
    "images": ("products.images.ready.batch", "total_images"),
    "keyframes": ("videos.keyframes.ready.batch", "total_keyframes"),
}
SERVICES = {
    "image.embeddings": "image.embedding.ready",
    "image.keypoints": "image.keypoint.ready",
    "image.segmentation": "products.image.masked",
    "video.embeddings": "video.embedding.ready",
    "video.keypoints": "video.keypoint.ready",
    "video.segmentation": "video.keyframe.masked",
}


def event(type: str, *, job: str = "batch", event_id: str = "", **data: Any) -> dict[str, Any]:
    """One event with an id of its own."""
    return {"type": type, "data": {"job_id": job, "event_id": event_id or str(uuid4()), **data}}


def send(type: str, *, source: str = "test", **data: Any) -> Ingested:
    """Send one event."""
    return inbox.ingest_event(event(type, **data), source=source, by=PRODUCER)


def announce(what: str, total: int, **data: Any) -> Ingested:
    """Announce so many `images` or `keyframes`."""
    batch, name = TOTALS[what]
    return send(batch, **{name: total}, **data)


def report(code: str, number: int, *, start: int = 0, **data: Any) -> list[Ingested]:
    """Report that a phase is done with the assets k0, k1, …"""
    return [send(SERVICES[code], asset_id=f"k{n}", **data) for n in range(start, start + number)]


def frames(names: Iterable[str], *, video: str = "v1", **data: Any) -> Ingested:
    """Report these frames."""
    return send("videos.keyframes.ready", video_id=video, frames=[{"frame_id": name} for name in names], **data)


def job(name: str = "batch") -> Job:
    """The job of this name, fresh from the database."""
    return Job.objects.get(name=name)


def phase(code: str, *, of: str = "batch") -> Phase:
    """One of its phases."""
    return phase_of(job(of), code)


def counts() -> tuple[int, ...]:
    """Count the rows of every table that an event may write."""
    return tuple(model.objects.count() for model in (Job, Item, Event, InboxMessage))


def completed(code: str, *, of: str = "batch") -> list[dict[str, Any]]:
    """The completed events of a phase."""
    return outward(job(of), f"{code}.completed")
