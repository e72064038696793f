"""The buttons of a job: what each would do with the figures of now, or why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import reverse

from jobs.models import Phase
from jobs.operations.previews.acts import ACTS, ActSpec, refusal
from jobs.operations.previews.snapshot import JobSnapshot
from jobs.rules.formatting import format_number, pluralize
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class ActButton:
    """One button: its label with figures, what it does, and why it is not possible (empty where it is)."""

    act: ActSpec
    label: str
    effect: str
    url: str
    why_not: str = ""

    @property
    def possible(self) -> bool:
        """May it be pressed?"""
        return not self.why_not


def act_buttons(figures: JobSnapshot, user: User | AnonymousUser) -> list[ActButton]:
    """Every act on the job as a whole, the harmless ones first."""
    hidden = "pause" if figures.job.status == JobStatus.PAUSED else "resume"
    return [act_button(slug, figures, user) for slug in ACTS if slug not in (hidden, "skip")]


def act_button(slug: str, figures: JobSnapshot, user: User | AnonymousUser, **query: str) -> ActButton:
    """One act on a job; `query` narrows it to a phase or an error signature."""
    act = ACTS[slug]
    label, effect, nothing = _SAY[slug](figures)
    url = reverse("admin:job-act", kwargs={"job_id": figures.job.pk, "slug": slug})
    why_not = refusal(act, figures.job, user) or nothing
    return ActButton(act, label, effect, f"{url}?{urlencode(query)}" if query else url, why_not)


def item_buttons(figures: JobSnapshot, user: User | AnonymousUser) -> list[ActButton]:
    """The acts on items that an operator has ticked."""
    labels = {"retry": "Retry selected…", "skip": "Skip selected…", "release": "Release selected…"}
    return [
        ActButton(
            ACTS[slug],
            label,
            "",
            reverse("admin:job-act", kwargs={"job_id": figures.job.pk, "slug": slug}),
            refusal(ACTS[slug], figures.job, user),
        )
        for slug, label in labels.items()
    ]


Said = tuple[str, str, str]


def _retry(f: JobSnapshot) -> Said:
    effect = (
        f"{pluralize(f.failed, 'failed item')} become pending" if f.failed != 1 else "1 failed item becomes pending"
    )
    return (
        f"Retry {format_number(f.failed)} failed…" if f.failed else "Retry failed…",
        effect,
        _none(f.failed, "No item is failed in a phase that still takes items."),
    )


def _release(f: JobSnapshot) -> Said:
    stay = f"; {pluralize(f.live, 'live lease')} stay" if f.live else ""
    label = f"Release {pluralize(f.free, 'lease')}…" if f.free else "Release leases…"
    why_not = (
        f"{pluralize(f.live, 'item')} held, all under a live lease; they come back when it expires."
        if f.live
        else "Nobody holds an item."
    )
    return label, f"{pluralize(f.free, 'item')} claimable again{stay}", _none(f.free + f.live, why_not)


def _pause(f: JobSnapshot) -> Said:
    return "Pause…", "Nothing new is claimed; what is held may still be reported", ""


def _resume(f: JobSnapshot) -> Said:
    return "Resume…", "Items are claimable again; watermarks go on with the time they had left", ""


def _threshold(f: JobSnapshot) -> Said:
    met = [
        f"{p.code}: {p.counts.processed * 100 // p.expected} % is met now"
        for p in f.judged
        if p.expected and p.counts.processed
    ]
    effect = "; ".join(met[:2]) or "Judges the phase anew at once"
    return "Change threshold…", effect, _none(len(f.judged), "Every phase is completed or cancelled.")


def _restart(f: JobSnapshot) -> Said:
    return (
        "Restart a phase…",
        "A new run; every later gated phase begins again too",
        _none(len(f.begun), "Nothing has begun yet."),
    )


def _force(f: JobSnapshot) -> Said:
    open_phases = f.unfinished
    effect = "; ".join(f"{p.code} with {_done(p)}" for p in open_phases[:2])
    more = f" and {len(open_phases) - 2} more" if len(open_phases) > 2 else ""
    return "Force-complete…", f"Completes {effect}{more}; cannot be undone", ""


def _done(phase: Phase) -> str:
    done = format_number(phase.counts.processed)
    return f"{done} done" if phase.expected is None else f"{done} of {format_number(phase.expected)}"


def _fail(f: JobSnapshot) -> Said:
    return "Fail…", f"{pluralize(sum(p.is_open for p in f.phases), 'open phase')} fail; leases are revoked", ""


def _cancel(f: JobSnapshot) -> Said:
    return "Cancel…", "Nothing more is taken or told; what is done stays counted", ""


def _none(count: int, sentence: str) -> str:
    return "" if count else sentence


_SAY: dict[str, Callable[[JobSnapshot], Said]] = {
    "retry": _retry,
    "release": _release,
    "pause": _pause,
    "resume": _resume,
    "threshold": _threshold,
    "restart": _restart,
    "force-complete": _force,
    "fail": _fail,
    "cancel": _cancel,
}
