"""What workers give the verbs of training, and what they get back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

from training.models import TrainingSession

RestartWhat = Literal["failed", "training", "faces", "clustering"]
Told = Literal["running", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to train with; `path` is unique within its session, `hash` empty where there is none.

    `created_at` is when the image was taken, an aware time, or None where nobody knows.
    """

    path: str
    hash: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A session, and whether it is new."""

    session: TrainingSession
    created: bool


@dataclass(frozen=True, slots=True)
class ImagesAdded:
    """How many paths were new, how many were there already (or came twice), and how many of the new are duplicates."""

    added: int
    existing: int
    skipped: int


class FacesTold(TypedDict, total=False):
    """What a worker tells of face detection: absolute values, what is left out stays as it is."""

    faces_detected: int
    faces_assigned: int
    current_asset_index: int
    current_batch: int
    total_batches: int | None
    min_confidence: float | None
    batch_size: int | None
