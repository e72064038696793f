"""Why a job is not finished and what may be pressed about it: one panel, the remedies before the other acts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobs.operations.buttons import ActButton, act_button, act_buttons
from jobs.operations.diagnosis import Cause, Remedy, diagnose
from jobs.operations.registry import ACTS
from jobs.operations.snapshot import JobSnapshot

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class RemedyButton:
    """One remedy with its button; without one where it is not an operator's act."""

    remedy: Remedy
    offer: ActButton | None


@dataclass(frozen=True, slots=True)
class DiagnosisPanel:
    """The diagnosis as the page shows it; the causes are in sight where it is `pressing`."""

    question: str
    pressing: bool
    verdict: str
    causes: list[Cause]
    helps: list[RemedyButton]
    others: list[ActButton]


def diagnosis_panel(
    figures: JobSnapshot, user: User | AnonymousUser, *, without: Collection[str] = ()
) -> DiagnosisPanel:
    """The panel of a job. An act that a remedy offers is not offered again, nor those of `without`.

    Of a job that needs nobody the acts are all in the quiet row.
    """
    found = diagnose(figures)
    remedies = found.remedies if found.pressing else [each for each in found.remedies if each.action not in ACTS]
    offered = Counter(remedy.action for remedy in remedies)
    return DiagnosisPanel(
        question=found.question,
        pressing=found.pressing,
        verdict=found.verdict,
        causes=found.causes,
        helps=[RemedyButton(remedy, _button(remedy, figures, user)) for remedy in remedies],
        others=[
            each for each in act_buttons(figures, user) if each.act.name not in without and _is_other(each, offered)
        ],
    )


def _is_other(each: ActButton, offered: Counter[str]) -> bool:
    """Several phases with failed items have a remedy each; all of them at once is another act."""
    return offered[each.act.name] == 0 or (each.act.name == "retry" and offered["retry"] > 1)


def _button(remedy: Remedy, figures: JobSnapshot, user: User | AnonymousUser) -> ActButton | None:
    if remedy.action not in ACTS:
        return None
    scope = {"phase": remedy.phase} if remedy.phase else {}
    if remedy.threshold is not None:
        scope["threshold"] = str(remedy.threshold)
    return replace(act_button(remedy.action, figures, user, **scope), label=f"{remedy.detail}…")
