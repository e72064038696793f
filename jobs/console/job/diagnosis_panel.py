"""The diagnosis panel of the job page: causes, remedies, and the other acts."""

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
    """One remedy; `button` is None when the remedy is not an operator's act."""

    remedy: Remedy
    button: ActButton | None


@dataclass(frozen=True, slots=True)
class DiagnosisPanel:
    """The diagnosis as the page shows it; the causes are folded unless it is `pressing`."""

    question: str
    pressing: bool
    verdict: str
    causes: list[Cause]
    remedies: list[RemedyButton]
    other_acts: list[ActButton]


def diagnosis_panel(
    snapshot: JobSnapshot, user: User | AnonymousUser, *, exclude: Collection[str] = ()
) -> DiagnosisPanel:
    """Return the panel of a job, without the acts in `exclude`.

    A remedy's act is not repeated among the other acts. A job that needs no attention has no remedies with buttons.
    """
    found = diagnose(snapshot)
    remedies = found.remedies if found.pressing else [each for each in found.remedies if each.action not in ACTS]
    offered = Counter(remedy.action for remedy in remedies)
    return DiagnosisPanel(
        question=found.question,
        pressing=found.pressing,
        verdict=found.verdict,
        causes=found.causes,
        remedies=[RemedyButton(remedy, _button(remedy, snapshot, user)) for remedy in remedies],
        other_acts=[
            each for each in act_buttons(snapshot, user) if each.act.name not in exclude and _is_other(each, offered)
        ],
    )


def _is_other(each: ActButton, offered: Counter[str]) -> bool:
    """Return whether an act belongs among the other acts.

    With several failed phases each has its own retry, so retrying all of them at once is offered besides.
    """
    return offered[each.act.name] == 0 or (each.act.name == "retry" and offered["retry"] > 1)


def _button(remedy: Remedy, snapshot: JobSnapshot, user: User | AnonymousUser) -> ActButton | None:
    if remedy.action not in ACTS:
        return None
    scope = {"phase": remedy.phase} if remedy.phase else {}
    if remedy.threshold is not None:
        scope["threshold"] = str(remedy.threshold)
    return replace(act_button(remedy.action, snapshot, user, **scope), label=f"{remedy.detail}…")
