"""Application of workers' calls: many in one transaction, or one alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.utils import timezone

from jobs.change import Change, change_jobs
from jobs.db import bulk_load
from jobs.models import Job, Phase
from jobs.rules.errors import Refused
from jobs.tracking.calls import (
    Answer,
    Call,
    ClaimAnyCall,
    ClaimCall,
    HeartbeatCall,
    ReportCall,
    Undecided,
)
from jobs.tracking.claim import claims_locked, empty_claim
from jobs.tracking.heartbeat import SignOfLife, heartbeats_locked
from jobs.tracking.report import Batch, apply_results
from jobs.tracking.types import Claimed, Reported


def alone(call: Call) -> Any:
    """Make a call in a transaction of its own, which may wait for a lock; a refusal is raised."""
    if isinstance(call, ClaimAnyCall):
        return call.wait()
    answer = answers_without_lock([call]).get(call)
    if answer is None:
        with change_jobs(call.job_ids(), by=call.by) as change:
            [answer] = apply(change, [call])
            if isinstance(answer, BaseException):
                raise answer
    return answer


def answers_without_lock(
    calls: Sequence[Call], *, claims: Callable[[ClaimCall], bool] = lambda call: True
) -> dict[Call, Answer]:
    """Answer those of these calls that need no lock, because there is nothing to claim.

    `claims` chooses the claims of one phase that may be answered so; each costs a read of its phase.
    """
    answers = _empty_claims(calls, claims)
    for call in calls:
        if isinstance(call, ClaimAnyCall) and not call.choose():
            answers[call] = call.nothing()
    return answers


def _empty_claims(calls: Sequence[Call], chosen: Callable[[ClaimCall], bool]) -> dict[Call, Answer]:
    """Answer the claims that give nothing: a worker that waits for work repeats them all the time.

    A job that other calls lock anyway is not read here.
    """
    claims = [call for call in calls if isinstance(call, ClaimCall) and chosen(call)]
    locked = {call.job_id for call in calls if not isinstance(call, ClaimCall)}
    jobs = {job.pk: job for job in bulk_load.load(Job, {call.job_id for call in claims} - locked, null=("removed_at",))}
    empty: dict[tuple[int, str], Claimed | None] = {}
    for phase in bulk_load.load(Phase, jobs, match="job"):
        phase.job = jobs[phase.job_id]
        empty[phase.job_id, phase.code] = empty_claim(phase, now=timezone.now())
    return {
        call: claimed
        for call in claims
        if (claimed := empty.get((call.job_id, call.code))) and call.access.sees(jobs[call.job_id].project)
    }


def apply(change: Change, calls: Sequence[Call]) -> list[Answer]:
    """Make these calls, and return their answers in the same order.

    Calls of one kind are made together where they can: all reports, all claims of one phase, and all heartbeats.
    """
    answers: dict[Call, Answer] = {}
    reports = [call for call in calls if isinstance(call, ReportCall)]
    claims = [call for call in calls if isinstance(call, ClaimCall)]
    beats = [call for call in calls if isinstance(call, HeartbeatCall)]
    answers.update(zip(reports, _report(change, reports), strict=True))
    for call in calls:
        if not isinstance(call, (ReportCall, ClaimCall, HeartbeatCall)):
            answers[call] = _answer(call.apply, change)
    answers.update(_claim(change, claims))
    answers.update(_beat(change, beats))
    return [answers[call] for call in calls]


def _claim(change: Change, calls: Sequence[ClaimCall]) -> Iterator[tuple[Call, Answer]]:
    together: dict[Phase, list[ClaimCall]] = defaultdict(list)
    for call in calls:
        phase = _answer(call.phase, change)
        if isinstance(phase, Phase):
            together[phase].append(call)
        else:
            yield call, phase
    for phase, group in together.items():
        change.act_as(phase.job, group[0].by)
        yield from zip(group, claims_locked(change, phase, [call.taker for call in group]), strict=True)


def _beat(change: Change, calls: Sequence[HeartbeatCall]) -> Iterator[tuple[Call, Answer]]:
    signs = [(call, _answer(call.sign, change)) for call in calls]
    beats = iter(heartbeats_locked(change, [sign for _, sign in signs if isinstance(sign, SignOfLife)]))
    for call, sign in signs:
        yield call, next(beats) if isinstance(sign, SignOfLife) else sign


def _report(change: Change, calls: Sequence[ReportCall]) -> list[Answer]:
    """Make these reports. Those of one worker on one phase are one batch."""
    phases = [_answer(call.phase, change) for call in calls]
    together: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place, (call, phase) in enumerate(zip(calls, phases, strict=True)):
        if isinstance(phase, Phase):
            together[phase.pk, call.worker, call.by.account and call.by.account.pk, call.by.version].append(place)
    batches = [
        Batch(phases[first], calls[first].worker, [result for n in (first, *rest) for result in calls[n].results], by)
        for first, *rest in together.values()
        for by in [calls[first].by]
    ]
    answers: list[Answer] = list(phases)
    for places, answer in zip(together.values(), apply_results(change, batches), strict=True):
        for place, own in zip(places, _shares(answer, [calls[place].size for place in places]), strict=True):
            answers[place] = own
    return answers


def _shares(answer: Reported | Refused, sizes: Sequence[int]) -> Iterator[Reported | Refused]:
    """Yield for each report of a batch its own part of the answer."""
    first = 0
    for size in sizes:
        if isinstance(answer, Refused):
            yield answer
        else:
            yield Reported(answer.results[first : first + size], answer.phase, answer.cancel_requested)
        first += size


def _answer(act: Callable[[Change], Any], change: Change) -> Any:
    try:
        return act(change)
    except (Refused, Undecided) as refusal:
        return refusal
