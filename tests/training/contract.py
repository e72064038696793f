"""The keys of the unified answer, written once: the endpoint, the OpenAPI document and the page are held to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PROGRESS = ("current", "total", "percentage", "etaSeconds")
PART = ("name", "status", *(f"progress.{key}" for key in PROGRESS), "startedAt", "completedAt")
TRAINING_ONLY = tuple(f"progress.{key}" for key in ("imagesPerMinute", "unique", "skipped", "failed"))
OVERALL = ("percentage", "etaSeconds", "currentPhase")

KEYS: tuple[str, ...] = (
    "sessionId",
    "overallStatus",
    *(f"overallProgress.{key}" for key in OVERALL),
    *(f"phases.training.{key}" for key in (*PART, *TRAINING_ONLY)),
    *(f"phases.faceDetection.{key}" for key in (*PART, "facesDetected")),
    *(f"phases.clustering.{key}" for key in (*PART, "clustersCreated")),
)


def flat(body: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys of an answer with what they lie in: `phases.training.progress.current`."""
    for key, value in body.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def value_at(body: Mapping[str, Any], key: str) -> Any:
    """The value under such a flat key."""
    found: Any = body
    for name in key.split("."):
        found = found[name]
    return found
