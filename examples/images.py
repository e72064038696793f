"""Processing of one picture: perceptual hash, checksum and thumbnail."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
THUMBNAIL = (256, 256)


class Unreadable(Exception):
    """The file cannot be opened as a picture; the message says why."""


log = logging.getLogger(__name__)


def find(folder: Path) -> list[str]:
    """List the picture files below a folder as sorted relative paths, without hidden files.

    A name that is not UTF-8 cannot be sent: it is skipped with a line in the log.
    """
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    names = sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))
    for name in names:
        if not _is_utf8(name):
            log.warning("skipped: the name %a is not UTF-8; rename the file", name)
    return [name for name in names if _is_utf8(name)]


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def inside(folder: Path, name: str) -> Path:
    """Return the path of a name below the folder. Unreadable if the name leads out of the folder."""
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        raise Unreadable("the name leads out of the folder")
    return path


def examine(path: Path, *, thumbnail: Path | None = None) -> dict[str, Any]:
    """Return the result of one picture. Unreadable if it cannot be opened."""
    data = _read(path)
    image = _decoded(data)
    if thumbnail:
        _save_thumbnail(image, thumbnail)
    return {
        "hash": dhash(image),
        "width": image.width,
        "height": image.height,
        "bytes": len(data),
        "checksum": hashlib.sha256(data).hexdigest(),
    }


def opened(path: Path) -> Image.Image:
    """Open and decode a picture. Unreadable if that fails."""
    return _decoded(_read(path))


def dhash(image: Image.Image) -> str:
    """Compute the difference hash: 64 bits in hexadecimal, 1 where a spot is darker than its right neighbour.

    Hashes of similar pictures differ in few bits, whatever their size and quality.
    """
    small = image.convert("L").resize((9, 8), Image.Resampling.LANCZOS)
    grey = small.tobytes()
    bits = 0
    for row in range(8):
        for column in range(8):
            spot = row * 9 + column
            bits = bits << 1 | (grey[spot] < grey[spot + 1])
    return f"{bits:016x}"


def distance(one: str, other: str) -> int:
    """Count the bits in which two hashes differ; pictures with at most about 10 look similar."""
    return bin(int(one, 16) ^ int(other, 16)).count("1")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error


def _decoded(data: bytes) -> Image.Image:
    if not data:
        raise Unreadable("the file is empty")
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except UnidentifiedImageError as error:
        raise Unreadable("not a picture in any format that Pillow knows") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable(str(error)) from error
    return image


def _save_thumbnail(image: Image.Image, path: Path) -> None:
    """Write the file atomically, so that two workers can write it without harm."""
    small = image.convert("RGB")
    small.thumbnail(THUMBNAIL)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    small.save(unfinished, format="JPEG")
    unfinished.replace(path)
