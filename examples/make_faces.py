"""Generator of pictures of people for the training worker: `make_faces.py FOLDER [--count 40] [--people 6]`.

The same numbers draw the same pictures, with times a minute apart. Most show one of a few people, some two of them,
some a landscape. Some are copies under another name, exact or smaller, and one file is truncated. Existing files are
kept.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import training_portraits as portraits
from PIL import Image

WIDTH, HEIGHT = 400, 300
BROKEN = "camera/ends-in-the-middle.jpg"
FIRST_TAKEN = datetime(2026, 5, 1, 9, tzinfo=UTC)
MOST_PEOPLE = 12
# Chosen by the last digit of a picture's number; all others are portraits.
EXACT_COPY, GROUP, SAVED_ANEW, LANDSCAPE = 3, 5, 7, 9

Field = portraits.Field


@dataclass(frozen=True)
class Shot:
    """One file: the people in it, or the number of the picture that it copies."""

    number: int
    people: tuple[int, ...] = ()
    copy_of: int | None = None

    @property
    def name(self) -> str:
        """The path below the folder."""
        if self.copy_of is None:
            return f"camera/img-{self.number:04d}.jpg"
        place = "backup" if self.number % 10 == EXACT_COPY else "shared"
        return f"{place}/img-{self.copy_of:04d}.jpg"


def shots(count: int, *, people: int) -> list[Shot]:
    """Plan the content of `count` pictures."""
    made: list[Shot] = []
    seen = 0
    for number in range(count):
        digit = number % 10
        if digit in (EXACT_COPY, SAVED_ANEW):
            made.append(Shot(number, made[number - 2].people, copy_of=number - 2))
            continue
        heads = 0 if digit == LANDSCAPE else 2 if digit == GROUP else 1
        made.append(Shot(number, tuple((seen + head) % people for head in range(heads))))
        seen += heads
    return made


def picture(shot: Shot) -> Image.Image:
    """Draw a picture."""
    draws = Random(f"shot {shot.number}")
    image = _landscape(draws)
    places = [(WIDTH / 2, HEIGHT / 2)] if len(shot.people) == 1 else [(WIDTH * 0.27, 154), (WIDTH * 0.73, 154)]
    width = 125 if len(shot.people) == 1 else 94
    for who, (x, y) in zip(shot.people, places, strict=False):
        portraits.draw(image, portraits.person(who), portraits.pose(draws, x=x, y=y, width=width))
    grain = np.random.default_rng(shot.number).normal(0, 2.5, (HEIGHT, WIDTH, 1))
    return Image.fromarray(np.clip(image + grain, 0, 255).astype(np.uint8))


def _landscape(draws: Random) -> Field:
    """Draw a sky over rows of hills."""
    sky, ground = _colour(draws, low=130, high=230), _colour(draws, low=50, high=140)
    down = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    image = np.broadcast_to(sky * (0.75 + 0.35 * down), (HEIGHT, WIDTH, 3)).astype(np.float32)
    columns = np.arange(WIDTH, dtype=np.float32)
    for row in range(4):
        waves = sum(
            draws.uniform(6, 26) * np.sin(columns * draws.uniform(0.004, 0.02) + draws.uniform(0, 7)) for _ in range(3)
        )
        top = HEIGHT * (0.4 + 0.15 * row) + waves
        hill = np.arange(HEIGHT)[:, None] > top[None, :]
        image[hill] = ground * (0.7 + 0.2 * row)
    return image


def _colour(draws: Random, *, low: int, high: int) -> Field:
    return np.array([draws.uniform(low, high) for _ in range(3)], np.float32)


def make(folder: Path, *, count: int, people: int) -> Iterator[str]:
    """Write the missing ones of `count` files, of which the last one is broken; yield the name of each written file."""
    planned = shots(count - 1, people=people)
    for shot in planned:
        if _write(folder / shot.name, _maker(folder, shot, planned), number=shot.number):
            yield shot.name
    if _write(folder / BROKEN, lambda path: _half(folder / planned[0].name, path), number=count):
        yield BROKEN


def _maker(folder: Path, shot: Shot, planned: list[Shot]) -> Callable[[Path], None]:
    """Return the function that writes the file of a picture."""
    if shot.copy_of is None:
        return lambda path: picture(shot).save(path, format="JPEG", quality=90)
    source = folder / planned[shot.copy_of].name
    return lambda path: _exact(source, path) if shot.number % 10 == EXACT_COPY else _anew(source, path)


def _exact(source: Path, path: Path) -> None:
    shutil.copyfile(source, path)


def _anew(source: Path, path: Path) -> None:
    """Save a smaller copy of lower quality."""
    with Image.open(source) as image:
        image.resize((WIDTH * 4 // 5, HEIGHT * 4 // 5), Image.Resampling.LANCZOS).save(path, format="JPEG", quality=75)


def _half(source: Path, path: Path) -> None:
    whole = source.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _write(path: Path, make_file: Callable[[Path], None], *, number: int) -> bool:
    """Write a file atomically with its time; False if it exists already."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    make_file(unfinished)
    taken = (FIRST_TAKEN + timedelta(minutes=number)).timestamp()
    os.utime(unfinished, (taken, taken))
    unfinished.replace(path)
    return True


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Draw a folder of pictures of people for the training worker.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40, help="how many files, at least 2 (default: 40)")
    parser.add_argument("--people", type=int, default=6, help=f"how many people, 2-{MOST_PEOPLE} (default: 6)")
    options = parser.parse_args()
    if options.count < 2:
        parser.error("--count must be at least 2")
    if not 2 <= options.people <= MOST_PEOPLE:
        parser.error(f"--people must be 2-{MOST_PEOPLE}")
    written = len(list(make(options.folder, count=options.count, people=options.people)))
    sys.stdout.write(f"{written} files written to {options.folder}\n")


if __name__ == "__main__":
    main()
