"""Perceptual hash and embedding of a picture; the hash finds duplicates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import images
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Unreadable = images.Unreadable
Pixels = NDArray[np.uint8]
Vector = NDArray[np.float32]

HASH_SIDE = 32
FREQUENCIES = 8
# A smaller copy of lower quality differs in at most 2 bits; two shots of one scene differ in 4 or more.
ALIKE = 2
EMBEDDING_SIDE = 64
COLOUR_BINS = (8, 4, 4)
DIMENSIONS = 3 * 3 * 4 * 9 + 8 * 4 * 4


def read(path: Path) -> Pixels:
    """Read the RGB pixels of a file, upright. Unreadable if it is not a picture."""
    upright = ImageOps.exif_transpose(images.opened(path))
    return np.asarray(upright.convert("RGB"))


def phash(picture: Pixels) -> str:
    """Compute the perceptual hash: 63 bits in hexadecimal, 1 where a low frequency is above the median.

    It hardly depends on size, format and quality: see `KnownHashes`.
    """
    grey = Image.fromarray(picture).convert("L").resize((HASH_SIDE, HASH_SIDE), Image.Resampling.LANCZOS)
    frequencies = cv2.dct(np.asarray(grey, np.float32))[:FREQUENCIES, :FREQUENCIES].ravel()[1:]
    bits = "".join("1" if above else "0" for above in frequencies > np.median(frequencies))
    return f"{int(bits, 2):016x}"


class KnownHashes:
    """Hashes found so far.

    The site treats pictures with the same hash as duplicates, but a copy of lower quality may differ in one or two
    bits. So a picture is reported with the hash of the first similar picture.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = list(dict.fromkeys(known))

    def nearest(self, own: str) -> str:
        """Return the first known hash that differs in at most ALIKE bits; else add this hash and return it."""
        for other in self._known:
            if images.distance(own, other) <= ALIKE:
                return other
        self._known.append(own)
        return own


def embedding(picture: Pixels) -> Vector:
    """Compute a vector of length one from gradients (324 numbers) and colours (128)."""
    small = cv2.resize(picture, (EMBEDDING_SIDE, EMBEDDING_SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    gradients = cv2.HOGDescriptor(grey.shape, (32, 32), (16, 16), (16, 16), 9).compute(grey).ravel()
    colours = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([colours], [0, 1, 2], None, COLOUR_BINS, [0, 180, 0, 256, 0, 256]).ravel()
    both = np.concatenate([_unit(gradients), _unit(np.sqrt(counts))])
    return _unit(both).astype(np.float32)


def _unit(vector: Vector) -> Vector:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
