"""Generator of pictures for the image worker: `make_images.py FOLDER [--count 240] [--width 2400]`.

The same count draws the same pictures. Most are different from each other; some are exact copies, and some are near
duplicates (smaller, brighter, of lower quality). Three files cannot be read: a truncated JPEG, a text with the name of
a PNG, and an empty file. Existing files are kept.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFont

WIDTH = 2400
SKETCH = (600, 450)
COPY_EVERY = 12
SIMILAR_EVERY = 9
BROKEN = ("broken/ends-in-the-middle.jpg", "broken/text-not-a-picture.png", "broken/empty.jpg")
WORDS = ["harbour", "lantern", "meadow", "orchard", "granite", "signal", "copper", "winter", "saddle", "thistle"]

Colour = tuple[int, int, int]


def picture(number: int, *, width: int = WIDTH) -> Image.Image:
    """Draw the picture of this number, in the format 4:3: a gradient, shapes, grain and a caption."""
    draws = Random(f"picture {number}")
    sketch = _gradient(draws)
    _shapes(sketch, draws)
    image = ImageChops.soft_light(sketch, _grain(draws)).resize((width, width * 3 // 4), Image.Resampling.BICUBIC)
    _caption(image, number, draws)
    return image


def file_names(count: int) -> list[str]:
    """Return the names of the pictures, in folders of fifty."""
    suffixes = {7: "png"}
    return [f"{number // 50:02d}/picture-{number:04d}.{suffixes.get(number % 40, 'jpg')}" for number in range(count)]


def make(folder: Path, *, count: int, width: int = WIDTH) -> Iterator[str]:
    """Write the missing ones of `count` pictures and of the broken files; yield the name of each written file."""
    names = file_names(max(count - len(BROKEN), 1))
    drawn = [(number, name) for number, name in enumerate(names) if not _is_copy(number)]
    missing = [(folder / name, number, width) for number, name in drawn if not (folder / name).exists()]
    with ProcessPoolExecutor() as pool:
        for path in pool.map(_write, missing, chunksize=2):
            yield path.relative_to(folder).as_posix()
    yield from _copies(folder, names)
    yield from _broken(folder, sample=folder / names[0])


def _write(task: tuple[Path, int, int]) -> Path:
    path, number, width = task
    if number % SIMILAR_EVERY == 4:
        _save(_similar(picture(number - 1, width=width)), path)
    else:
        _save(picture(number, width=width), path)
    return path


def _save(image: Image.Image, path: Path) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    image.save(unfinished, format="PNG" if path.suffix == ".png" else "JPEG", quality=80)
    unfinished.replace(path)


def _is_copy(number: int) -> bool:
    return number % COPY_EVERY == COPY_EVERY - 1


def _similar(image: Image.Image) -> Image.Image:
    smaller = image.resize((image.width * 2 // 3, image.height * 2 // 3), Image.Resampling.BILINEAR)
    return ImageEnhance.Brightness(smaller).enhance(1.1)


def _copies(folder: Path, names: list[str]) -> Iterator[str]:
    for number, name in enumerate(names):
        source = folder / names[number - 2]
        target = (folder / name).with_suffix(source.suffix)
        if _is_copy(number) and not target.exists():
            shutil.copyfile(source, target)
            yield target.relative_to(folder).as_posix()


def _broken(folder: Path, *, sample: Path) -> Iterator[str]:
    whole = sample.read_bytes()
    contents = (whole[: len(whole) // 2], b"This is a text, not a picture.\n", b"")
    for name, content in zip(BROKEN, contents, strict=True):
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            yield name


def _colour(draws: Random) -> Colour:
    return (draws.randrange(256), draws.randrange(256), draws.randrange(256))


def _gradient(draws: Random) -> Image.Image:
    make_mask = draws.choice([Image.linear_gradient, Image.radial_gradient])
    mask = make_mask("L").rotate(draws.choice([0, 90, 180, 270])).resize(SKETCH)
    return Image.composite(Image.new("RGB", SKETCH, _colour(draws)), Image.new("RGB", SKETCH, _colour(draws)), mask)


def _shapes(image: Image.Image, draws: Random) -> None:
    pen = ImageDraw.Draw(image)
    for _ in range(draws.randrange(8, 24)):
        x, y = draws.randrange(image.width), draws.randrange(image.height)
        reach = draws.randrange(20, 160)
        shape = draws.choice([pen.ellipse, pen.rectangle, pen.line, pen.rounded_rectangle])
        extra = {"width": draws.randrange(2, 12)} if shape == pen.line else {}
        shape((x, y, x + reach, y + draws.randrange(20, 160)), fill=_colour(draws), **extra)


def _grain(draws: Random) -> Image.Image:
    small = Image.frombytes("RGB", (150, 112), draws.randbytes(150 * 112 * 3))
    return small.resize(SKETCH, Image.Resampling.BICUBIC).point(lambda value: 96 + value // 4)


def _caption(image: Image.Image, number: int, draws: Random) -> None:
    text = f"{draws.choice(WORDS)} {draws.choice(WORDS)} {number}"
    font = ImageFont.load_default(size=image.height // 12)
    place = (draws.randrange(image.width // 3), draws.randrange(image.height // 2))
    ImageDraw.Draw(image).text(place, text, font=font, fill=_colour(draws))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Draw a folder of pictures for the image worker.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=240, help="how many files (default: 240)")
    parser.add_argument("--width", type=int, default=WIDTH, help=f"pixels from left to right (default: {WIDTH})")
    options = parser.parse_args()
    written = 0
    for written, _ in enumerate(make(options.folder, count=options.count, width=options.width), 1):
        if written % 50 == 0:
            sys.stdout.write(f"{written} of {options.count}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{written} files written to {options.folder}\n")


if __name__ == "__main__":
    main()
