"""The job as a whole, its texts, its rate and its reasons to be stuck, for every number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jobs.rules import pace, progress
from jobs.rules.error_fingerprints import signature
from jobs.rules.pace import Vitals
from jobs.rules.progress import Counts, PhaseState
from jobs.rules.statuses import OPEN_PHASE, UNFINISHED_JOB, JobStatus, PhaseStatus, Stuck
from tests.jobs.properties.strategies import JOBS, counts

pytestmark = pytest.mark.full

NOW = datetime(2026, 6, 1, 12, 30, 30, tzinfo=UTC)
ERROR = st.text("abc0123456789 #.\n", max_size=60)


# --- the job ---------------------------------------------------------------------------------------


def share(state: PhaseState, part: int) -> Fraction:
    """Return the finished part of a phase."""
    if state.status == PhaseStatus.COMPLETED:
        return Fraction(1)
    return min(Fraction(1), Fraction(part, state.counts.expected)) if state.counts.expected else Fraction(0)


@given(JOBS)
def test_a_job_percent_is_the_weighted_mean_floored_once(job: list[PhaseState]) -> None:
    weights = [state.weight for state in job] if any(state.weight for state in job) else [1] * len(job)
    parts = [share(state, state.counts.processed) * w for state, w in zip(job, weights, strict=True)]
    assert progress.job_percent(job) == floor(sum(parts, Fraction(0)) * 100 / sum(weights))


@given(JOBS)
def test_a_job_percent_lies_between_0_and_100_and_the_settled_one_is_never_lower(job: list[PhaseState]) -> None:
    assert 0 <= progress.job_percent(job) <= progress.job_settled_percent(job) <= 100


@given(JOBS)
def test_a_completed_job_shows_100(job: list[PhaseState]) -> None:
    completed = [
        replace(state, status=PhaseStatus.COMPLETED, counts=replace(state.counts, expected=9)) for state in job
    ]
    assert progress.job_percent(completed) == 100
    assert progress.job_status(completed) == JobStatus.COMPLETED


@given(JOBS, st.integers(1, 50))
def test_only_the_proportion_of_weights_counts(job: list[PhaseState], factor: int) -> None:
    heavier = [replace(state, weight=state.weight * factor) for state in job]
    assert progress.job_percent(heavier) == progress.job_percent(job)


@given(st.lists(counts(known=True), min_size=1, max_size=1))
def test_a_job_of_one_phase_shows_the_percent_of_that_phase(only: list[Counts]) -> None:
    assert progress.job_percent([PhaseState(only[0])]) == progress.percent(only[0])


@given(JOBS, st.data())
def test_a_job_percent_never_falls_when_a_phase_gets_on(job: list[PhaseState], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(job) - 1))
    state = job[place]
    more = replace(state, counts=replace(state.counts, done=state.counts.done + data.draw(st.integers(0, 100))))
    assert progress.job_percent([*job[:place], more, *job[place + 1 :]]) >= progress.job_percent(job)


# --- gates and status --------------------------------------------------------------------------------


@given(JOBS)
def test_a_gate_is_open_exactly_when_every_earlier_phase_has_completed(job: list[PhaseState]) -> None:
    for place, gate_open in enumerate(progress.gates(job)):
        earlier = all(state.status == PhaseStatus.COMPLETED for state in job[:place])
        assert gate_open == (earlier or not job[place].gated)


def able_to_go_on(job: list[PhaseState]) -> bool:
    """Return whether some phase could still finish if all open ones completed in time."""
    return any(
        state.status in OPEN_PHASE
        and not (state.gated and any(before.status not in (*OPEN_PHASE, PhaseStatus.COMPLETED) for before in job[:n]))
        for n, state in enumerate(job)
    )


@given(JOBS, st.sampled_from(["", "paused", "cancelled"]))
def test_the_status_of_a_job_is_the_first_rule_that_fits(job: list[PhaseState], held: str) -> None:
    status = progress.job_status(job, held)
    statuses = {state.status for state in job}
    if statuses == {PhaseStatus.COMPLETED}:
        assert status == JobStatus.COMPLETED
    elif held:
        assert status == held
    elif not able_to_go_on(job):
        assert status == (JobStatus.FAILED if PhaseStatus.FAILED in statuses else JobStatus.CANCELLED)
    else:
        assert status == (JobStatus.PROCESSING if any(state.begun for state in job) else JobStatus.PENDING)


# --- sentences, rate, stuck ---------------------------------------------------------------------------


@given(counts(), st.text("abc {}{done}é", max_size=40))
def test_a_stage_says_failed_exactly_while_something_is(c: Counts, words: str) -> None:
    sentence = progress.stage(f"{words} {{done}}/{{expected}}", c)
    assert sentence.endswith(f" · {c.failed:,} failed") == bool(c.failed)
    assert f" {c.done:,}/{'?' if c.expected is None else format(c.expected, ',')}" in sentence


@given(st.text(max_size=60))
def test_braces_that_name_no_count_are_left_alone(words: str) -> None:
    assume(
        not any(f"{{{name}}}" in words for name in ("done", "failed", "skipped", "processed", "settled", "expected"))
    )
    assert progress.stage(words, Counts(3, done=1)) == words


@given(JOBS, st.sampled_from(JobStatus))
def test_a_job_has_the_stage_of_a_phase_until_it_is_finished(job: list[PhaseState], status: JobStatus) -> None:
    phases = [(state, f"phase {n}") for n, state in enumerate(job)]
    shown = progress.job_stage(status, phases)
    if status not in UNFINISHED_JOB:
        assert shown == status.capitalize()
    elif not any(state.is_open for state in job):
        assert shown == "Failed"
    else:
        begun = any(state.is_open and state.begun for state in job)
        first = next(n for n, state in enumerate(job) if state.is_open and (state.begun or not begun))
        assert shown == progress.stage(f"phase {first}", job[first].counts)


@given(st.lists(ERROR, min_size=2, max_size=2), st.integers(0, 10**9), st.integers(0, 10**9))
def test_errors_that_differ_in_a_number_have_the_same_signature(words: list[str], first: int, second: int) -> None:
    start, end = words
    assume(not start[-1:].isdigit() and not end[:1].isdigit())
    assert signature(f"{start}{first}{end}") == signature(f"{start}{second}{end}")


@given(st.integers(0, 10**6), st.timedeltas(timedelta(0), timedelta(hours=3)))
def test_a_rate_times_the_minutes_looked_at_is_what_was_settled(settled: int, ago: timedelta) -> None:
    rate = pace.rate_per_minute(settled, started_at=NOW - ago, now=NOW)
    if not settled:
        assert rate is None
        return
    assert rate is not None
    seconds = max((NOW - max(pace.window_start(NOW), NOW - ago)).total_seconds(), 1)
    assert abs(rate * seconds / 60 - settled) <= 0.05 * seconds / 60 + settled * 1e-9
    assert seconds <= pace.RATE_WINDOW_MINUTES * 60


@given(counts(), st.none() | st.floats(0.1, 10**6), st.booleans())
def test_the_time_left_is_never_negative_and_known_only_with_a_rate_a_success_and_a_total(
    c: Counts, rate: float | None, succeeds: bool
) -> None:
    left = pace.eta_seconds(c, rate, succeeds=succeeds)
    assert (left is None) == (rate is None or c.expected is None or not succeeds)
    assert left is None or left >= 0
    assert left is None or (left == 0) or c.settled < (c.expected or 0)


MOMENT = st.none() | st.timedeltas(timedelta(hours=-2), timedelta(hours=2)).map(lambda ago: NOW - ago)
LIMIT = st.timedeltas(timedelta(seconds=1), timedelta(hours=1))


@given(st.builds(Vitals, st.sampled_from(JobStatus), MOMENT, MOMENT, MOMENT), LIMIT, LIMIT)
def test_a_job_is_stuck_by_the_first_reason_and_never_when_finished_or_held(
    vitals: Vitals, silent_after: timedelta, stalled_after: timedelta
) -> None:
    reason = pace.stuck(vitals, now=NOW, silent_after=silent_after, stalled_after=stalled_after)
    unannounced = vitals.unannounced_since is not None and vitals.unannounced_since < NOW
    silent = vitals.heard_at is not None and NOW - vitals.heard_at > silent_after
    stalled = vitals.progress_at is not None and NOW - vitals.progress_at > stalled_after
    if vitals.status not in (JobStatus.PENDING, JobStatus.PROCESSING):
        assert reason is None
    elif unannounced:
        assert reason == Stuck.UNANNOUNCED
    elif vitals.status == JobStatus.PENDING:
        assert reason is None
    else:
        assert reason == (Stuck.SILENT if silent else Stuck.STALLED if stalled else None)
