"""The colours of states: apart for eyes without green receptors too, readable, and the same in both dark themes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[3] / "jobs" / "console" / "static" / "jobs" / "colours.css").read_text()
# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes: A Physiologically-based Model for Simulation of Color Vision
# Deficiency, IEEE TVCG 15 (6), 2009; severity 1.0, for linear RGB.
DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)
CONTRAST = 4.5

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]


def theme(selector: str) -> dict[str, str]:
    """The custom properties that are colours in the first rule with this selector."""
    rule = CSS[CSS.index(selector) :]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", rule[: rule.index("}")]))


THEMES = {"light": theme('html[data-theme="light"] {'), "dark": theme('html[data-theme="dark"] {')}


def linear(colour: str) -> Vector:
    """Linear RGB of `#rrggbb` or `#rgb`."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def times(matrix: Matrix, vector: Vector) -> Vector:
    """Their product."""
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def seen(colour: str, by: Matrix) -> Vector:
    """CIE L*a*b* of a colour as these eyes see it."""
    simulated = tuple(min(1.0, max(0.0, part)) for part in times(by, linear(colour)))
    x, y, z = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116
        for part in (value / white for value, white in zip(times(TO_XYZ, simulated), WHITE, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, by: Matrix) -> float:
    """Return the difference of two colours for this kind of vision (CIE76; 2.3 is just noticeable side by side)."""
    pairs = zip(seen(one, by), seen(other, by), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def luminance(colour: str) -> float:
    """Relative luminance."""
    return times(TO_XYZ, linear(colour))[1]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("eyes", "apart"), [(DEUTERANOPIA, 20.0), (PROTANOPIA, 10.0)], ids=["deuteranopia", "protanopia"]
)
@pytest.mark.parametrize("name", THEMES)
def test_stuck_and_failed_are_apart_for_eyes_without_green_or_red(name: str, eyes: Matrix, apart: float) -> None:
    colours = THEMES[name]
    assert distance(colours["bad"], colours["warn"], eyes) >= apart
    assert distance(colours["bad-solid"], colours["warn-ground"], eyes) >= 2 * apart


@pytest.mark.parametrize("name", THEMES)
def test_what_is_written_on_a_ground_can_be_read(name: str) -> None:
    colours = THEMES[name]
    pairs = [(ink, f"{ink}-ground") for ink in ("run", "ok", "bad", "warn", "quiet")]
    pairs += [("bad-solid-ink", "bad-solid"), ("body-fg", "body-bg"), ("body-fg", "panel"), ("bad", "panel")]
    low = {pair: contrast(*(colours[part] for part in pair)) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < CONTRAST} == {}


def test_the_dark_theme_is_the_same_whether_chosen_or_asked_for_by_the_system() -> None:
    assert theme('html:not([data-theme="light"]) {') == THEMES["dark"]
