"""What callers may send about sessions: the shapes, and the bounds of every field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import asdict

from jobs.api.query_params import NameText, PageQuery
from jobs.api.requests import Blob, Input, Key, Label, Name, Number, Project
from jobs.api.size_limits import check_blob
from jobs.operations.arguments import ActInput
from jobs.rules.errors import BadInput
from jobs.rules.limits import MOST_ITEMS
from jobs.rules.statuses import JobStatus
from training.sessions.types import FacesTold, NewImage

Taken = Annotated[datetime, Meta(tz=True, description="When the image was taken, with its time zone.")]
Confidence = Annotated[float, Meta(ge=0, le=1)]
What = Literal["failed", "training", "faces", "clustering"]


class ImageInput(Input, frozen=True):
    """One image; its path is unique within the session, images of the same perceptual hash are duplicates."""

    path: Key
    hash: Label = ""
    created_at: Taken | None = None


Images = Annotated[list[ImageInput], Meta(max_length=MOST_ITEMS)]


class SessionInput(Input, frozen=True):
    """A new session; the same name again answers the existing one with its new images added.

    With `images` their list is complete, also when it is empty; left out, they come by `/images`.
    """

    name: Name
    images: Images | None = None
    project: Project = ""
    metadata: Blob = {}

    def check(self) -> None:
        """The bounds that need more than one look."""
        check_blob(self.metadata, field="metadata")
        check_images(self.images or [])

    def new(self) -> list[NewImage] | None:
        """What `create_session` takes."""
        return None if self.images is None else new_images(self.images)


class ImagesInput(Input, frozen=True):
    """More images of a session; with `complete` no more will come."""

    images: Images
    complete: bool = False

    def check(self) -> None:
        """The bounds that need more than one look."""
        check_images(self.images)


class FacesInput(Input, frozen=True):
    """How far face detection is, in absolute values; what is left out stays.

    The first four never get lower within a run.
    """

    faces_detected: Number | UnsetType = UNSET
    faces_assigned: Number | UnsetType = UNSET
    current_asset_index: Number | UnsetType = UNSET
    current_batch: Number | UnsetType = UNSET
    total_batches: Number | UnsetType | None = UNSET
    min_confidence: Confidence | UnsetType | None = UNSET
    batch_size: Number | UnsetType | None = UNSET

    def told(self) -> FacesTold:
        """What `tell_faces` takes."""
        return {name: value for name, value in asdict(self).items() if value is not UNSET}  # type: ignore[return-value]


class ClusteringInput(Input, frozen=True):
    """How far clustering is; `current` and `total` are absolute."""

    status: Literal["running", "completed", "failed"]
    current: Number | None = None
    total: Number | None = None
    clusters_created: Number | None = None
    error: str = ""


class RestartSessionInput(ActInput, kw_only=True, frozen=True):
    """What begins anew: the failed images, or a whole phase with those after it."""

    what: What


class SessionQuery(PageQuery, kw_only=True, frozen=True):
    """Which sessions."""

    status: Annotated[JobStatus | None, Meta(description="Only sessions whose job is in this status.")] = None
    project: Annotated[NameText, Meta(description="Only sessions of this project.")] = ""


def new_images(images: list[ImageInput]) -> list[NewImage]:
    """Images as the verbs take them."""
    return [NewImage(image.path, image.hash, image.created_at) for image in images]


def check_images(images: list[ImageInput]) -> None:
    """Refuse a time that is none in UTC, as the first hours of the year 1 further east."""
    for place, image in enumerate(images):
        try:
            _ = image.created_at and image.created_at.astimezone(UTC)
        except OverflowError as error:
            raise BadInput({f"images[{place}].created_at": "This is before the year 1 or after 9999."}) from error
