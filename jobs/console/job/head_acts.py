"""The acts in the head of the job page: those that help now, all others, and why the rest is impossible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.console.job.diagnosis_panel import DiagnosisPanel
from jobs.operations.buttons import ActButton
from jobs.operations.registry import ACTS, forbidden
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.models import Job

HELPFUL = 2
VIEW_ONLY = "View only. Ask an administrator for the role operator."
NOT_ALLOWED = "Your role does not allow these. Ask an administrator for the role lead."


@dataclass(frozen=True, slots=True)
class Impossible:
    """A reason, and the acts that are impossible because of it."""

    why_not: str
    buttons: list[ActButton]


@dataclass(frozen=True, slots=True)
class HeadActs:
    """The acts of a job: `helpful` ones stand beside its name, the others and those that end the job under More.

    `view_only` replaces all of them for an account that may not act at all.
    """

    helpful: list[ActButton]
    others: list[ActButton]
    ending: list[ActButton]
    impossible: list[Impossible]
    view_only: str = ""


def head_acts(job: Job, panel: DiagnosisPanel, user: User | AnonymousUser) -> HeadActs:
    """Sort the acts of a job by how much they help now."""
    if not may_act(user):
        return HeadActs([], [], [], [], VIEW_ONLY)
    offered = [each.button for each in panel.remedies if each.button] + panel.other_acts
    possible = [button for button in offered if button.possible]
    helpful = _helpful(job, panel, possible)
    rest = [button for button in possible if button not in helpful]
    return HeadActs(
        helpful=helpful,
        others=[button for button in rest if not _ends(button)],
        ending=[button for button in rest if _ends(button)],
        impossible=_impossible([button for button in offered if not button.possible], user),
    )


def may_act(user: User | AnonymousUser) -> bool:
    """Return whether the account has the permission of any act."""
    return any(not forbidden(act, user) for act in ACTS.values())


def _helpful(job: Job, panel: DiagnosisPanel, possible: list[ActButton]) -> list[ActButton]:
    """Return the one or two acts to press now: to resume, else the remedies that end nothing, else to retry."""
    if job.status == JobStatus.PAUSED:
        return [button for button in possible if button.act.name == "resume"]
    remedies = [each.button for each in panel.remedies if each.button and each.button in possible]
    safe = [button for button in remedies if not _ends(button) and button.act.name != "threshold"]
    return safe[:HELPFUL] or [button for button in possible if button.act.name == "retry"][:1]


def _ends(button: ActButton) -> bool:
    return button.act.ends_job or button.act.removes_job


def _impossible(buttons: Iterable[ActButton], user: User | AnonymousUser) -> list[Impossible]:
    """Group the acts that are impossible by their reason, so that each reason is said once."""
    reasons: dict[str, list[ActButton]] = defaultdict(list)
    for button in buttons:
        reasons[NOT_ALLOWED if forbidden(button.act, user) else button.why_not].append(button)
    return [Impossible(why_not, listed) for why_not, listed in reasons.items()]
