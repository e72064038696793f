"""Explanation of a session's percentages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.rules.formatting import format_number, pluralize
from jobs.serializers import JobBody, PhaseBody
from training.templatetags.training_pages import hundredths
from training.views.bars import KEYS

SKIPPED = (
    " Skipped images are duplicates of another image of this session, or were skipped by an operator."
    " They need no training and count as processed."
)


def formula(unified: Mapping[str, Any], body: JobBody) -> list[str]:
    """Return a sentence for the overall percentage and one for each phase."""
    return [_overall(unified, body), *(_phase(unified, phase) for phase in body["phases"])]


def _overall(unified: Mapping[str, Any], body: JobBody) -> str:
    total = sum(phase["weight"] for phase in body["phases"]) or 1
    shares = " + ".join(
        f"{phase['weight'] / total:.2f} · {hundredths(_percentage(unified, phase))}" for phase in body["phases"]
    )
    overall = hundredths(unified["overallProgress"]["percentage"])
    return f"Overall: {shares} = {overall} %, computed from unrounded values. A completed phase counts as 100 %."


def _percentage(unified: Mapping[str, Any], phase: PhaseBody) -> float:
    return unified["phases"][KEYS[phase["code"]]]["progress"]["percentage"]


def _phase(unified: Mapping[str, Any], phase: PhaseBody) -> str:
    shown = unified["phases"][KEYS[phase["code"]]]
    if phase["code"] == "clustering":
        return _clustering(phase["label"], shown["progress"])
    return _images(phase, shown)


def _images(phase: PhaseBody, shown: Mapping[str, Any]) -> str:
    label, percentage = phase["label"], hundredths(shown["progress"]["percentage"])
    if phase["expected"] is None:
        return f"{label}: images are still being listed, so there is no total yet and the phase counts as 0 %."
    done = f"{format_number(phase['done'])} done + {format_number(phase['skipped'])} skipped"
    return (
        f"{label}: ({done}) of {pluralize(phase['expected'], 'image')} = {percentage} %."
        f"{SKIPPED if phase['skipped'] else ''} Failed images do not count."
        " When every image has an outcome, the phase completes"
        f" if at least {format_number(phase['needed'])} ({phase['threshold']} %) count; otherwise it fails."
    )


def _clustering(label: str, progress: Mapping[str, Any]) -> str:
    if progress["total"]:
        reported = f"{format_number(progress['current'])} of {format_number(progress['total'])}"
        return f"{label}: {reported} as reported by the worker = {hundredths(progress['percentage'])} %."
    return f"{label}: no percent until it ends, unless the worker reports a total."
