"""Argument and result types of the operations on sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

from training.models import TrainingSession

RestartWhat = Literal["failed", "training", "faces", "clustering"]
ClusteringStatus = Literal["running", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to train with; `path` is unique within its session, `hash` is empty if there is none.

    `created_at` is the time when the image was taken, with time zone; None if unknown.
    """

    path: str
    hash: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A session; `created` is false if it existed."""

    session: TrainingSession
    created: bool


@dataclass(frozen=True, slots=True)
class ImagesAdded:
    """Numbers of new paths, of existing or repeated ones, and of duplicates among the new ones."""

    added: int
    existing: int
    skipped: int


class FacesUpdate(TypedDict, total=False):
    """Reported values of face detection: absolute; omitted keys stay unchanged."""

    faces_detected: int
    faces_assigned: int
    current_asset_index: int
    current_batch: int
    total_batches: int | None
    min_confidence: float | None
    batch_size: int | None
