"""The arithmetic of a whole job: gates, status, texts, rate, stuck."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobs.rules import pace, progress
from jobs.rules.pace import Vitals
from jobs.rules.progress import Counts, PhaseState
from jobs.rules.statuses import JobStatus, Stuck
from tests.jobs.test_progress import CANCELLED, COMPLETED, FAILED, phase

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


# --- gates and status --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "gates"),
    [
        ([phase(), phase(gated=True)], [True, False]),
        ([phase(status=COMPLETED), phase(gated=True)], [True, True]),
        ([phase(status=FAILED), phase(gated=True)], [True, False]),
        ([phase(), phase()], [True, True]),
        ([phase(), phase(status=COMPLETED), phase(gated=True)], [True, True, False]),
        ([phase(status=COMPLETED), phase(gated=True), phase(gated=True)], [True, True, False]),
        ([phase(status=COMPLETED), phase(status=COMPLETED, gated=True), phase(gated=True)], [True, True, True]),
    ],
)
def test_a_gate_is_open_when_every_earlier_phase_has_completed(states: list[PhaseState], gates: list[bool]) -> None:
    assert progress.gates(states) == gates


@pytest.mark.parametrize(
    ("states", "held", "status"),
    [
        ([phase()], "", "pending"),
        ([phase(begun=True)], "", "processing"),
        ([phase(status=COMPLETED, begun=True), phase()], "", "processing"),
        ([phase(status=COMPLETED), phase()], "", "pending"),
        ([phase(status=COMPLETED), phase(status=COMPLETED)], "", "completed"),
        ([phase(status=COMPLETED)], "paused", "completed"),
        ([phase(begun=True)], "paused", "paused"),
        ([phase(status=FAILED)], "paused", "paused"),
        ([phase(status=CANCELLED)], "cancelled", "cancelled"),
        ([phase(status=FAILED)], "", "failed"),
        ([phase(status=FAILED), phase()], "", "pending"),
        ([phase(status=FAILED, begun=True), phase()], "", "processing"),
        ([phase(status=FAILED, begun=True), phase(gated=True)], "", "failed"),
        ([phase(status=COMPLETED), phase(status=FAILED), phase(gated=True), phase(gated=True)], "", "failed"),
        ([phase(status=FAILED, begun=True), phase(gated=True), phase()], "", "processing"),
        ([phase(status=FAILED), phase(status=COMPLETED)], "", "failed"),
    ],
)
def test_the_status_of_a_job_is_the_first_that_matches(states: list[PhaseState], held: str, status: str) -> None:
    assert progress.job_status(states, held) == status


# --- sentences ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "counts", "sentence"),
    [
        ("Processing chunk {done}/{expected}", Counts(17, 5), "Processing chunk 5/17"),
        ("Processing chunk {done}/{expected}", Counts(17, 10, 1), "Processing chunk 10/17 · 1 failed"),
        ("Merging OCR results", Counts(1), "Merging OCR results"),
        ("{done} of {expected}", Counts(None, 3), "3 of ?"),
        ("{processed} {settled} {skipped} {failed}", Counts(9, 1, 2, 3), "4 6 3 2 · 2 failed"),
        ("{0} {job} {done.__class__} {{done}} {", Counts(9, 1), "{0} {job} {done.__class__} {1} {"),
        ("{expected}", Counts(0), "0"),
    ],
)
def test_the_stage_fills_the_template_with_counts_and_names_failures(
    template: str, counts: Counts, sentence: str
) -> None:
    assert progress.stage(template, counts) == sentence


@pytest.mark.parametrize(
    ("status", "phases", "sentence"),
    [
        ("pending", [(phase(), "first"), (phase(), "second")], "first"),
        ("processing", [(phase(), "first"), (phase(begun=True), "second")], "second"),
        ("processing", [(phase(begun=True, status=COMPLETED), "first"), (phase(), "second")], "second"),
        ("processing", [(phase(begun=True, status=FAILED), "first"), (phase(), "second")], "second"),
        ("paused", [(phase(begun=True), "first")], "first"),
        ("completed", [(phase(status=COMPLETED), "first")], "Completed"),
        ("failed", [(phase(status=FAILED), "first"), (phase(gated=True), "second")], "Failed"),
        ("cancelled", [(phase(status=CANCELLED), "first")], "Cancelled"),
        ("paused", [(phase(status=COMPLETED), "first"), (phase(status=FAILED), "second")], "Failed"),
    ],
)
def test_the_stage_of_a_job_is_that_of_its_first_unfinished_phase_that_has_begun(
    status: str, phases: list[tuple[PhaseState, str]], sentence: str
) -> None:
    assert progress.job_stage(JobStatus(status), phases) == sentence


# --- rate, time left, stuck --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settled", "started", "rate"),
    [
        (0, 60, None),
        (60, 60, 60.0),
        (120, 240, 30.0),
        (30, 30, 60.0),
        (10, 0, 600.0),
        (240, 3600, 60.0),
    ],
)
def test_the_rate_is_what_was_settled_in_the_last_minutes_or_since_the_start(
    settled: int, started: int, rate: float | None
) -> None:
    started_at = NOON - timedelta(seconds=started)
    assert pace.rate_per_minute(settled, started_at=started_at, now=NOON) == rate


def test_nothing_begun_has_no_rate() -> None:
    assert pace.rate_per_minute(5, started_at=None, now=NOON) is None


def test_the_rate_looks_at_no_more_than_five_minutes() -> None:
    late = NOON + timedelta(seconds=59)
    assert pace.window_start(late) == NOON - timedelta(minutes=4)


@pytest.mark.parametrize(
    ("counts", "rate", "eta"),
    [
        (Counts(100, 40), 60.0, 60),
        (Counts(100, 30, 10, 20), 60.0, 40),
        (Counts(100, 100), 60.0, 0),
        (Counts(100, 110), 60.0, 0),
        (Counts(None, 10), 60.0, None),
        (Counts(100, 40), None, None),
        (Counts(100, 40), 0.0, None),
    ],
)
def test_the_time_left_is_what_is_open_by_the_rate(counts: Counts, rate: float | None, eta: int | None) -> None:
    assert pace.eta_seconds(counts, rate, succeeds=True) == eta


def vitals(status: str = "processing", heard: int = 0, moved: int = 0, announce_by: int | None = None) -> Vitals:
    """Make vitals: the seconds since a sign of life, since progress, and since an announcement was due."""
    due = None if announce_by is None else NOON - timedelta(seconds=announce_by)
    return Vitals(JobStatus(status), NOON - timedelta(seconds=heard), NOON - timedelta(seconds=moved), due)


@pytest.mark.parametrize(
    ("life", "stuck"),
    [
        (vitals(heard=600), None),
        (vitals(heard=601), Stuck.SILENT),
        (vitals(heard=601, moved=1801), Stuck.SILENT),
        (vitals(moved=1800), None),
        (vitals(moved=1801), Stuck.STALLED),
        (vitals(announce_by=0), None),
        (vitals(announce_by=1), Stuck.UNANNOUNCED),
        (vitals(heard=601, announce_by=1), Stuck.UNANNOUNCED),
        (vitals("pending", announce_by=1), Stuck.UNANNOUNCED),
        (vitals("pending", heard=9999, moved=9999), None),
        (vitals("paused", heard=9999, announce_by=1), None),
        (vitals("completed", heard=9999), None),
        (vitals("failed", heard=9999), None),
        (vitals("cancelled", heard=9999), None),
    ],
)
def test_a_job_is_stuck_when_it_is_silent_or_stalled_or_unannounced(life: Vitals, stuck: Stuck | None) -> None:
    found = pace.stuck(life, now=NOON, silent_after=timedelta(seconds=600), stalled_after=timedelta(seconds=1800))
    assert found == stuck
