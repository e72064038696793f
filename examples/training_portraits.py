"""Drawn portraits with enough shading for a face detector: eyes, nose, cheeks and mouth.

A person is a set of measures. Pictures of a person vary light, angle, position and expression, as photographs do.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

SKINS = [(222, 190, 164), (141, 94, 62), (214, 165, 126), (176, 126, 88), (228, 200, 182), (108, 72, 50)]
HAIRS = [(52, 36, 26), (22, 20, 22), (176, 132, 66), (120, 58, 30), (128, 126, 124), (88, 62, 40)]
LIPS = (150, 64, 62)
# Each person is a different combination of these measures, so that six people are never similar.
ASPECTS = [1.36, 1.22, 1.48, 1.28, 1.42, 1.20]
EYES = [0.40, 0.47, 0.36, 0.43, 0.45, 0.38]
BROWS = [0.05, 0.09, 0.07, 0.11, 0.045, 0.08]
NOSES = [0.13, 0.20, 0.16, 0.11, 0.22, 0.18]
MOUTHS = [0.30, 0.42, 0.36, 0.26, 0.46, 0.33]
BEARDS = [0.0, 0.0, 0.55, 0.0, 0.0, 0.75]

Field = NDArray[np.float32]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """Measures of a person, the same in every picture; lengths in half widths of the face."""

    skin: Colour
    hair: Colour
    aspect: float
    eyes: float
    eye_size: float
    brow: float
    brow_tilt: float
    nose: float
    mouth: float
    lips: float
    fringe: float
    beard: float
    glasses: bool


def person(number: int) -> Person:
    """Create the person of this number, always the same one."""
    draws = Random(f"person {number}")
    turn, place = divmod(number, len(SKINS))
    return Person(
        skin=SKINS[place],
        hair=HAIRS[(place + turn) % len(HAIRS)],
        aspect=ASPECTS[(place + 2 * turn) % len(ASPECTS)],
        eyes=EYES[(place + 3 * turn) % len(EYES)],
        eye_size=draws.uniform(0.13, 0.17),
        brow=BROWS[(place + turn) % len(BROWS)],
        brow_tilt=draws.uniform(-0.25, 0.2),
        nose=NOSES[(place + 4 * turn) % len(NOSES)],
        mouth=MOUTHS[(place + 5 * turn) % len(MOUTHS)],
        lips=draws.uniform(0.05, 0.1),
        fringe=draws.uniform(0.52, 0.75),
        beard=BEARDS[(place + turn) % len(BEARDS)],
        glasses=(place + turn) % 3 == 1,
    )


@dataclass(frozen=True)
class Pose:
    """Variation between pictures of one person; `x`, `y` and `width` are in pixels."""

    x: float
    y: float
    width: float
    angle: float
    light: float
    look: float
    smile: float
    clothes: Colour


def pose(draws: Random, *, x: float, y: float, width: float) -> Pose:
    """Create a random pose near this position."""
    return Pose(
        x=x + draws.uniform(-12, 12),
        y=y + draws.uniform(-8, 8),
        width=width * draws.uniform(0.94, 1.06),
        angle=draws.uniform(-0.03, 0.03),
        light=draws.uniform(-0.2, 0.2),
        look=draws.uniform(-0.03, 0.03),
        smile=draws.uniform(0.0, 0.05),
        clothes=(draws.uniform(30, 200), draws.uniform(30, 200), draws.uniform(30, 200)),
    )


class Canvas:
    """A picture in the coordinates of one face: (0, 0) is between the eyes and the mouth."""

    def __init__(self, image: Field, at: Pose) -> None:
        self.image = image
        rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float32)
        across, down = (columns - at.x) * 2 / at.width, (rows - at.y) * 2 / at.width
        turn, tilt = np.cos(at.angle), np.sin(at.angle)
        self.x, self.y = across * turn + down * tilt, down * turn - across * tilt

    def spot(self, x: float, y: float, wide: float, high: float, *, soft: float = 0.15, tilt: float = 0.0) -> Field:
        """Return the mask of an ellipse; `soft` is the width of its edge."""
        across, down = self.x - x, self.y - y - tilt * (self.x - x)
        distance = np.sqrt((across / wide) ** 2 + (down / high) ** 2)
        inside: Field = 1 / (1 + np.exp(np.clip((distance - 1) * 4 / soft, -30, 30)))
        return inside

    def paint(self, mask: Field, colour: Colour, strength: float = 1.0) -> None:
        """Paint a colour through a mask."""
        cover = (mask * strength)[..., None]
        self.image += cover * (np.array(colour, np.float32) - self.image)

    def shade(self, mask: Field, amount: float) -> None:
        """Make the masked area lighter or darker."""
        self.image *= (1 + mask * amount)[..., None]


def draw(image: Field, who: Person, at: Pose) -> None:
    """Draw a person into a picture."""
    canvas = Canvas(image, at)
    _body(canvas, who, clothes=at.clothes)
    head = canvas.spot(0, 0, 1, who.aspect, soft=0.08)
    canvas.paint(head, who.skin)
    _light(canvas, who, head=head, light=at.light)
    for side in (-1, 1):
        _eye(canvas, who, side=side, look=at.look)
    _nose(canvas, who)
    _mouth(canvas, who, smile=at.smile)
    _hair(canvas, who, head=head)


def _dark(colour: Colour, factor: float) -> Colour:
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def _body(canvas: Canvas, who: Person, *, clothes: Colour) -> None:
    canvas.paint(canvas.spot(0, -0.35, 1.16, who.aspect * 0.98, soft=0.1), who.hair)
    canvas.paint(canvas.spot(0, 2.9, 2.1, 1.35, soft=0.06), clothes)
    canvas.paint(canvas.spot(0, 1.2, 0.5, 0.75, soft=0.1), _dark(who.skin, 0.72))
    for side in (-1, 1):
        canvas.paint(canvas.spot(side * 1.02, 0.0, 0.13, 0.27), _dark(who.skin, 0.8))


def _light(canvas: Canvas, who: Person, *, head: Field, light: float) -> None:
    """Shade a head: bright cheeks and forehead, dark areas around the eyes and under the chin."""
    rim = np.clip(canvas.x**2 + (canvas.y / who.aspect) ** 2, 0, 1)
    canvas.shade(head * rim**2, -0.38)
    canvas.shade(head * np.clip(canvas.x, -1, 1), light)
    canvas.shade(canvas.spot(0, -0.68, 0.6, 0.3, soft=0.9) * head, 0.12)
    for side in (-1, 1):
        canvas.shade(canvas.spot(side * who.eyes, -0.22, 0.3, 0.2, soft=0.7), -0.42)
        canvas.shade(canvas.spot(side * 0.5, 0.22, 0.28, 0.24, soft=0.9), 0.2)
    canvas.shade(canvas.spot(0, 0.88, 0.3, 0.1, soft=0.9), 0.1)


def _eye(canvas: Canvas, who: Person, *, side: int, look: float) -> None:
    x, y, size = side * who.eyes, -0.2, who.eye_size
    canvas.paint(canvas.spot(x, y, size * 1.15, size * 0.62, soft=0.3), (40, 26, 22))
    canvas.paint(canvas.spot(x, y + 0.012, size, size * 0.45, soft=0.25), (214, 208, 202))
    canvas.paint(canvas.spot(x + look, y, size * 0.45, size * 0.5, soft=0.25), (48, 32, 24))
    canvas.paint(canvas.spot(x + look, y, size * 0.2, size * 0.22, soft=0.3), (8, 6, 6))
    brow = canvas.spot(x, -0.47, 0.26, who.brow, soft=0.4, tilt=side * who.brow_tilt)
    canvas.paint(brow, _dark(who.hair, 0.8), 0.9)
    if who.glasses:
        ring = canvas.spot(x, y, 0.3, 0.24, soft=0.08) - canvas.spot(x, y, 0.26, 0.2, soft=0.08)
        canvas.paint(np.clip(ring, 0, 1), (30, 28, 30), 0.85)


def _nose(canvas: Canvas, who: Person) -> None:
    canvas.shade(canvas.spot(0, -0.02, 0.09, 0.38, soft=0.8), 0.28)
    for side in (-1, 1):
        canvas.shade(canvas.spot(side * (who.nose + 0.03), 0.12, 0.07, 0.26, soft=0.9), -0.2)
        canvas.paint(canvas.spot(side * who.nose * 0.55, 0.37, 0.055, 0.032, soft=0.5), _dark(who.skin, 0.3))
    canvas.shade(canvas.spot(0, 0.28, who.nose * 0.7, 0.1, soft=0.8), 0.15)
    canvas.shade(canvas.spot(0, 0.42, who.nose * 1.1, 0.06, soft=0.8), -0.3)


def _mouth(canvas: Canvas, who: Person, *, smile: float) -> None:
    bend = canvas.y - (0.66 - smile * (canvas.x / who.mouth) ** 2)
    lips = np.sqrt((canvas.x / who.mouth) ** 2 + (bend / who.lips) ** 2)
    canvas.shade(canvas.spot(0, 0.68, who.mouth * 1.3, 0.2, soft=0.9), -0.12)
    if who.beard:
        chin = canvas.spot(0, 0.86, 0.78, 0.5, soft=0.4) * canvas.spot(0, 0, 1, who.aspect, soft=0.08)
        canvas.paint(chin, who.hair, who.beard)
    mask = 1 / (1 + np.exp(np.clip((lips - 1) * 14, -30, 30)))
    canvas.paint(mask, (np.array(LIPS) * 0.6 + np.array(who.skin) * 0.25).tolist())
    line = np.exp(-((bend / 0.018) ** 2)) * (np.abs(canvas.x) < who.mouth)
    canvas.paint(line.astype(np.float32), (50, 20, 20), 0.8)
    canvas.shade(canvas.spot(0, 0.8, who.mouth * 0.6, 0.05, soft=0.9), -0.2)


def _hair(canvas: Canvas, who: Person, *, head: Field) -> None:
    above = 1 / (1 + np.exp(np.clip((canvas.y + who.aspect * who.fringe + 0.12 * canvas.x**2) * 30, -30, 30)))
    canvas.paint(head * above, who.hair)
    canvas.shade(canvas.spot(-0.3, -who.aspect * 0.95, 0.4, 0.2, soft=0.9), 0.25)
