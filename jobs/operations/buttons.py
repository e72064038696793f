"""Buttons of a job, with the current numbers, or with the reason that disables them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import reverse

from jobs.operations.base import Operation
from jobs.operations.registry import ACTS, refusal
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class ActButton:
    """One button: its label with numbers, its effect, its address, and why it is disabled (empty: enabled)."""

    act: Operation
    label: str
    effect: str
    url: str
    why_not: str = ""

    @property
    def possible(self) -> bool:
        """Return whether the button is enabled."""
        return not self.why_not


def act_buttons(snapshot: JobSnapshot, user: User | AnonymousUser) -> list[ActButton]:
    """Return a button for every act on the job as a whole, the harmless ones first."""
    hidden = "pause" if snapshot.job.status == JobStatus.PAUSED else "resume"
    acts = [act for act in ACTS.values() if act.on_whole_job and act.name != hidden]
    return [act_button(act.name, snapshot, user) for act in acts]


def act_button(name: str, snapshot: JobSnapshot, user: User | AnonymousUser, **query: str) -> ActButton:
    """Return the button of one act; `query` narrows it to a phase or an error signature."""
    act = ACTS[name]
    text = act.button(snapshot)
    url = _url(name, snapshot)
    why_not = refusal(act, snapshot.job, user) or text.why_not
    return ActButton(act, text.label, text.effect, f"{url}?{urlencode(query)}" if query else url, why_not)


def item_buttons(snapshot: JobSnapshot, user: User | AnonymousUser) -> list[ActButton]:
    """Return a button for every act on selected items."""
    acts = [act for act in ACTS.values() if act.item_label]
    return [
        ActButton(act, act.item_label, "", _url(act.name, snapshot), refusal(act, snapshot.job, user)) for act in acts
    ]


def _url(name: str, snapshot: JobSnapshot) -> str:
    return reverse("admin:job-act", kwargs={"job_id": snapshot.job.pk, "slug": name})
