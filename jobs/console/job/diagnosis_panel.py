"""The diagnosis panel of the job page: causes, remedies, and the other acts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobs.console.job.condensed import MOST_ALIKE, Line, condensed
from jobs.operations.buttons import ActButton, act_button, act_buttons
from jobs.operations.diagnosis import Cause, Remedy, diagnose
from jobs.operations.registry import ACTS
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_number, pluralize

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

    @property
    def lines(self) -> list[Line]:
        """The causes in a few lines."""
        return condensed(self.causes)

    @property
    def shown_remedies(self) -> list[RemedyButton]:
        """The remedies but force-complete, which stands with the other acts that end a job."""
        return [each for each in self.remedies if each.button is None or not each.button.act.ends_job]


def diagnosis_panel(
    snapshot: JobSnapshot, user: User | AnonymousUser, *, exclude: Collection[str] = ()
) -> DiagnosisPanel:
    """Return the panel of a job, without the acts in `exclude`.

    A remedy's act is not repeated among the other acts. A job that needs no attention has no remedies with buttons.
    """
    found = diagnose(snapshot)
    remedies = found.remedies if found.pressing else [each for each in found.remedies if each.action not in ACTS]
    offered = Counter(remedy.action for remedy in _few(remedies, snapshot))
    return DiagnosisPanel(
        question=found.question,
        pressing=found.pressing,
        verdict=found.verdict,
        causes=found.causes,
        remedies=[RemedyButton(remedy, _button(remedy, snapshot, user)) for remedy in _few(remedies, snapshot)],
        other_acts=[
            each for each in act_buttons(snapshot, user) if each.act.name not in exclude and _is_other(each, offered)
        ],
    )


def _few(remedies: Sequence[Remedy], snapshot: JobSnapshot) -> list[Remedy]:
    """Return the remedies, with one for all phases where more than two have the same act."""
    number = Counter(remedy.action for remedy in remedies)
    many = {action for action in ("retry", "wait") if number[action] > MOST_ALIKE}
    firsts = {action: next(each for each in remedies if each.action == action) for action in many}
    return [
        _for_all(each, remedies, snapshot) if firsts.get(each.action) is each else each
        for each in remedies
        if each.action not in many or firsts[each.action] is each
    ]


def _for_all(first: Remedy, remedies: Sequence[Remedy], snapshot: JobSnapshot) -> Remedy:
    alike = [each for each in remedies if each.action == first.action]
    if first.action == "retry":
        items = pluralize(snapshot.failed, "item")
        detail = f"Retry {format_number(snapshot.failed)} failed of {pluralize(len(alike), 'phase')}"
        return replace(first, detail=detail, outcome=f"{items} pending again.", phase="")
    detail = f"Wait for the watermarks of {pluralize(len(alike), 'phase')}"
    return replace(first, detail=detail, outcome=f"{first.outcome.rstrip('.')}; the others then or later.")


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
