"""Request bodies and query parameters of sessions, with the limits of every field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import asdict

from jobs.api.query_params import NameText, PageQuery
from jobs.api.request_decoding import in_utc
from jobs.api.requests import Input
from jobs.api.size_limits import check_blob
from jobs.operations.arguments import ActInput
from jobs.rules.field_types import Blob, Key, Label, Name, Number, Project
from jobs.rules.limits import MOST_ITEMS
from jobs.rules.statuses import JobStatus
from jobs.tracking import JobOptions
from training.sessions.types import FacesUpdate, NewImage

Taken = Annotated[datetime, Meta(tz=True, description="When the image was taken, with its time zone.")]
Confidence = Annotated[float, Meta(ge=0, le=1)]
What = Literal["failed", "training", "faces", "clustering"]


class ImageInput(Input, frozen=True):
    """One image; its path is unique within the session, images of the same perceptual hash are duplicates."""

    path: Key
    hash: Label = ""
    created_at: Taken | None = None


Images = Annotated[list[ImageInput], Meta(max_length=MOST_ITEMS)]


class SessionInput(JobOptions, kw_only=True, frozen=True):
    """A new session; the same name again returns the existing one with its new images added.

    `images`, even empty, is the complete list. Without it, add images with `/images`.
    """

    name: Name
    images: Images | None = None
    project: Project = ""
    metadata: Blob = {}

    def check(self) -> None:
        """Check the limits that the field types cannot express."""
        check_blob(self.metadata, field="metadata")

    def new(self) -> list[NewImage] | None:
        """Return the images for `create_session`; None if the list stays open."""
        return None if self.images is None else new_images(self.images)


class ImagesInput(Input, frozen=True):
    """More images of a session; `complete` closes the list."""

    images: Images
    complete: bool = False


class FacesInput(Input, frozen=True):
    """Progress of face detection in absolute values; omitted fields stay unchanged.

    The first four fields never decrease within a run.
    """

    faces_detected: Number | UnsetType = UNSET
    faces_assigned: Number | UnsetType = UNSET
    current_asset_index: Number | UnsetType = UNSET
    current_batch: Number | UnsetType = UNSET
    total_batches: Number | UnsetType | None = UNSET
    min_confidence: Confidence | UnsetType | None = UNSET
    batch_size: Number | UnsetType | None = UNSET

    def values(self) -> FacesUpdate:
        """Return the given fields for `update_faces`."""
        return {name: value for name, value in asdict(self).items() if value is not UNSET}  # type: ignore[return-value]


class ClusteringInput(Input, frozen=True):
    """Progress of clustering; `current` and `total` are absolute."""

    status: Literal["running", "completed", "failed"]
    current: Number | None = None
    total: Number | None = None
    clusters_created: Number | None = None
    error: str = ""


class RestartSessionInput(ActInput, kw_only=True, frozen=True):
    """Part to restart: the failed images, or a whole phase and the phases after it."""

    what: What


class SessionQuery(PageQuery, kw_only=True, frozen=True):
    """Filters of the session list."""

    status: Annotated[JobStatus | None, Meta(description="Only sessions whose job is in this status.")] = None
    project: Annotated[NameText, Meta(description="Only sessions of this project.")] = ""


def new_images(images: list[ImageInput]) -> list[NewImage]:
    """Convert images of a request for `create_session` and `add_images`; their times are stored in UTC."""
    return [NewImage(image.path, image.hash, _taken(image, place)) for place, image in enumerate(images)]


def _taken(image: ImageInput, place: int) -> datetime | None:
    return image.created_at and in_utc(image.created_at, field=f"images[{place}].created_at")
