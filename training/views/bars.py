"""The overall progress bar: one segment per phase, as wide as its weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from jobs.serializers import JobBody, PhaseBody
from training.reached import reached, shown_overall
from training.serializers import Parts
from training.templatetags.training_pages import STATUS_STYLES, hundredths
from training.unified_progress import unified_body

KEYS = {"training": "training", "face_detection": "faceDetection", "clustering": "clustering"}


@dataclass(frozen=True, slots=True)
class Segment:
    """One phase of the bar. `x` and `width` are percent of the bar; `percent`, `lost` and `mark` of the segment.

    `mark` is the threshold, None for phases without items. `indeterminate` means running with an unknown total.
    """

    key: str
    label: str
    description: str
    style_code: str
    x: float
    width: float
    percent: float
    lost: float
    mark: int | None
    indeterminate: bool


def segments_of(unified: Mapping[str, Any], body: JobBody) -> list[Segment]:
    """Return the segments of a session's bar in the order of its phases."""
    total = sum(phase["weight"] for phase in body["phases"]) or 1
    segments, x = [], 0.0
    for phase in body["phases"]:
        width = phase["weight"] * 100 / total
        segments.append(_segment(unified["phases"][KEYS[phase["code"]]], phase, x=round(x, 2), width=round(width, 2)))
        x += width
    return segments


def _segment(shown: Mapping[str, Any], phase: PhaseBody, *, x: float, width: float) -> Segment:
    status, percent, total = shown["status"], reached(shown, phase), shown["progress"]["total"]
    return Segment(
        key=KEYS[phase["code"]],
        label=phase["label"],
        description=f"{phase['label']} {STATUS_STYLES[status].label.lower()}, {hundredths(percent)} %",
        style_code=STATUS_STYLES[status].code,
        x=x,
        width=width,
        percent=percent,
        lost=_lost(phase, status=status, percent=percent, total=total),
        mark=phase["threshold"] if phase["code"] != "clustering" else None,
        indeterminate=status == "running" and not total,
    )


def _lost(phase: PhaseBody, *, status: str, percent: float, total: int) -> float:
    """Return the percent of failed images; the whole remainder if a phase without images has failed."""
    if status == "failed" and not phase["failed"]:
        return round(100 - percent, 2)
    return round(min(100 - percent, phase["failed"] * 100 / total), 2) if total else 0


def description(unified: Mapping[str, Any], segments: list[Segment]) -> str:
    """Return the text alternative of the bar, for screen readers."""
    return (
        f"{hundredths(shown_overall(unified, segments))} % overall: {'; '.join(each.description for each in segments)}"
    )


def drawn_bar(parts: Parts) -> SafeString:
    """Render the bar of a session with its percent, for lists."""
    unified = unified_body(parts)
    segments = segments_of(unified, parts.job)
    context = {
        "job": parts.job,
        "unified": unified,
        "overall": shown_overall(unified, segments),
        "segments": segments,
        "description": description(unified, segments),
    }
    return render_to_string("training/list_bar.html", context)
