"""Faces: detection in a picture, numeric descriptors, and clusters of similar faces.

OpenCV's Haar cascade finds frontal faces; the wheels of OpenCV 4 contain its file, those of OpenCV 5 do not. Gradients
and colours describe a face, and HDBSCAN clusters similar faces. These classical methods need no download. They are good
enough for similar pictures, and worse than a trained network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN

CASCADE = Path(cv2.data.haarcascades) / "haarcascade_frontalface_alt2.xml"
LONGEST_SIDE = 1280
SMALLEST_SHARE = 0.08
STEP = 1.1
HALF_SURE = 5
SIDE = 64
MARGIN = 1 / 7
COLOUR_FIELDS = 4
COLOUR_WEIGHT = 2.0
SMALLEST_CLUSTER = 3
NEIGHBOURS = 2
DIMENSIONS = 7 * 7 * 4 * 9 + 2 * COLOUR_FIELDS**2

Pixels = NDArray[np.uint8]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Face:
    """A square around a face, in pixels, and how sure the detector is, between 0 and 1."""

    left: int
    top: int
    width: int
    height: int
    confidence: float


class Detector:
    """Detector of faces above a minimum confidence."""

    def __init__(self, *, min_confidence: float) -> None:
        self.min_confidence = min_confidence
        self._cascade = cv2.CascadeClassifier(str(CASCADE))

    def faces(self, picture: Pixels) -> list[Face]:
        """Return the faces of an RGB picture from left to right."""
        scale = min(1.0, LONGEST_SIDE / max(picture.shape[:2]))
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
        smallest = max(24, round(SMALLEST_SHARE * min(small.shape)))
        boxes, votes = self._cascade.detectMultiScale2(small, STEP, 1, minSize=(smallest, smallest))
        found = [face(box, count, scale=scale) for box, count in zip(boxes, votes, strict=True)]
        return sorted((one for one in found if one.confidence >= self.min_confidence), key=lambda one: one.left)


def face(box: Any, votes: int, *, scale: float) -> Face:
    """Scale a face to the full picture. Confidence grows with the votes: five are 0.5, twenty are 0.8."""
    left, top, width, height = (round(float(value) / scale) for value in box)
    return Face(left, top, width, height, round(int(votes) / (int(votes) + HALF_SURE), 3))


def descriptor(picture: Pixels, of: Face) -> Vectors:
    """Describe the middle of a face, whatever its brightness: gradients and the colours of sixteen fields."""
    crop = cv2.resize(_middle(picture, of), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.equalizeHist(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY))
    gradients = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9).compute(grey).ravel()
    fields = cv2.resize(crop, (COLOUR_FIELDS, COLOUR_FIELDS), interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(fields, cv2.COLOR_RGB2LAB)[..., 1:].astype(np.float32).ravel() / 255 - 0.5
    return np.concatenate([_unit(gradients), COLOUR_WEIGHT * colours]).astype(np.float32)


def clusters(descriptors: Vectors) -> list[int]:
    """Return the cluster number of each face, from 0; -1 for a face similar to too few others."""
    if len(descriptors) < SMALLEST_CLUSTER:
        return [-1] * len(descriptors)
    found = HDBSCAN(min_cluster_size=SMALLEST_CLUSTER, min_samples=NEIGHBOURS, copy=True).fit(descriptors)
    return [int(label) for label in found.labels_]


def _unit(vector: NDArray[Any]) -> NDArray[Any]:
    """Scale a vector to length one; a zero vector stays zero."""
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _middle(picture: Pixels, of: Face) -> Pixels:
    """Crop a face without the margin of its square, which shows background."""
    margin = round(of.width * MARGIN)
    rows, columns = (
        slice(of.top + margin, of.top + of.height - margin),
        slice(of.left + margin, of.left + of.width - margin),
    )
    return picture[rows, columns]
