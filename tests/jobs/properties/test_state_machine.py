"""Any order of calls and acts: the job equals that of the model, and its counters equal its items."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from jobs import operations, tracking, watchdog
from jobs.models import Event, Item, Job, Phase, Quarantine
from jobs.rules import errors, progress
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import UNFINISHED_JOB, Shortfall, Trigger
from jobs.tracking import NewItem, Result
from tests.factories import WORKER
from tests.jobs.properties import model_operators as operators
from tests.jobs.properties import model_workers as workers
from tests.jobs.properties.comparison import on_page, told_of, told_on
from tests.jobs.properties.model import LEASE, PaperJob, PaperPhase, Refused
from tests.plan import size

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEYS = st.sampled_from([f"k{n}" for n in range(6)])
SOME_KEYS = st.lists(KEYS, max_size=4)
WORKERS = st.sampled_from(["w1", "w2"])
TOTAL = st.integers(0, 8)
PLACE = st.integers(0, 1)
STATUS = st.sampled_from(["completed", "completed", "failed", "skipped", "processing", "pending"])
CHECKSUM = st.sampled_from(["", "", "", "x"])
THRESHOLD = st.sampled_from([0, 50, 75, 90, 100])
SPECS = st.builds(
    PhaseSpec,
    code=st.just("first"),
    threshold=THRESHOLD,
    trigger=st.sampled_from(Trigger),
    on_shortfall=st.sampled_from(Shortfall),
    watermark_ttl=st.sampled_from([60, 900]),
    retries=st.sampled_from([0, 0, 1, 2]),
    max_leased=st.sampled_from([None, None, 1, 3]),
    gated=st.just(False),
)
FAILURES = 2  # in a row, after which a worker is quarantined
LATELY = timedelta(minutes=10)
NOT_LATE = ("job.on_time_again", "job.completed", "job.failed", "job.cancelled")
_names = count(1)


class Machine(RuleBasedStateMachine):
    """A job in the database and the same job of the model, under one clock."""

    @initialize(
        first=SPECS, second=SPECS, gated=st.booleans(), listed=st.none() | st.lists(KEYS, min_size=2, max_size=6)
    )
    def create(self, first: PhaseSpec, second: PhaseSpec, gated: bool, listed: list[str] | None) -> None:
        self.now = START
        self.clock = patch("django.utils.timezone.now", lambda: self.now)
        self.clock.start()
        self.chance = patch("jobs.tracking.transitions.random", lambda: 0.5)
        self.chance.start()
        self.settings = override_settings(WORKER_FAILURE_LIMIT=FAILURES)
        self.settings.enable()
        self.everything = transaction.atomic()
        self.everything.__enter__()
        specs = [first, replace(second, code="second", gated=gated)]
        items = None if listed is None else [NewItem(key) for key in listed]
        name = f"machine-{next(_names)}"
        self.job = tracking.create_job(name=name, project=name, phases=specs, items=items, by=WORKER).job
        self.paper = PaperJob(START, [on_page(spec) for spec in specs])
        if listed is not None:
            self.paper.phases[0].expected = 0
            workers.add_items(self.paper, self.paper.phases[0], listed, reopen=False)
        self.paper.settle()
        self.seen: dict[str, Any] = {"attempts": {}, "percents": {}, "events": 0, "revision": 0, "quarantines": 0}

    def teardown(self) -> None:
        """Compare the counters with the items once more by the command, and delete the job."""
        try:
            assert watchdog.recount() == []
        finally:
            transaction.set_rollback(True)
            self.everything.__exit__(None, None, None)
            self.clock.stop()
            self.chance.stop()
            self.settings.disable()

    # --- what workers do ---------------------------------------------------------------------------

    @rule(place=PLACE, key=KEYS, status=STATUS, fence=st.sampled_from([None, None, 0, 0, -1, 1]), worker=WORKERS,
          checksum=CHECKSUM)  # fmt: skip
    def report(self, place: int, key: str, status: str, fence: int | None, worker: str, checksum: str) -> None:
        attempt = self._attempt(place, key, fence)
        result = Result(key, status, attempt, result={"checksum": checksum} if checksum else {})
        answer = tracking.report(self._phase(place), worker=worker, results=[result], by=WORKER)
        outcome = workers.report(
            self.paper, self._page(place), key, status, attempt=attempt, worker=worker, checksum=checksum
        )
        self._judge(self._page(place), worker, [(status, outcome)])
        self.paper.settle()
        assert [one.outcome for one in answer.results] == [outcome]
        assert answer.cancel_requested == (self.paper.held == "cancelled")

    @rule(place=PLACE, keys=st.lists(KEYS, min_size=2, max_size=8), status=STATUS, worker=WORKERS)
    def report_many(self, place: int, keys: list[str], status: str, worker: str) -> None:
        results = [Result(key, status) for key in keys]
        answer = tracking.report(self._phase(place), worker=worker, results=results, by=WORKER)
        page = self._page(place)
        outcomes = [
            workers.report(self.paper, page, key, status, attempt=None, worker=worker, checksum="") for key in keys
        ]
        self._judge(page, worker, [(status, outcome) for outcome in outcomes])
        self.paper.settle()
        assert [one.outcome for one in answer.results] == outcomes

    @rule(place=PLACE, keys=st.lists(KEYS, min_size=3, max_size=4, unique=True), bad=WORKERS)
    def one_worker_fails(self, place: int, keys: list[str], bad: str) -> None:
        """Let one worker succeed and the other fail several times, which random reports seldom do."""
        [good] = {"w1", "w2"} - {bad}
        self.report(place, keys[0], "completed", None, good, "")
        self.report_many(place, keys[1:], "failed", bad)

    @rule(place=PLACE, expected=TOTAL, event_id=st.none() | st.integers(1, 3))
    def announce(self, place: int, expected: int, event_id: int | None) -> None:
        given = UUID(int=event_id) if event_id else None
        answer = tracking.announce(self._phase(place), expected=expected, event_id=given, by=WORKER)
        assert answer.reason == workers.announce(self.paper, self._page(place), expected, event_id=event_id)
        self.paper.settle()

    @rule(place=PLACE, keys=SOME_KEYS, reopen=st.booleans())
    def add_items(self, place: int, keys: list[str], reopen: bool) -> None:
        items = [NewItem(key) for key in keys]
        self._same(
            lambda: tracking.add_items(self._phase(place), items=items, reopen=reopen, by=WORKER).added,
            lambda: workers.add_items(self.paper, self._page(place), keys, reopen=reopen),
        )

    @rule(place=PLACE, worker=WORKERS, limit=st.integers(1, 4), seconds=st.sampled_from([30, 90]))
    def claim(self, place: int, worker: str, limit: int, seconds: int) -> None:
        answer = tracking.claim(self._phase(place), worker=worker, limit=limit, lease_seconds=seconds, by=WORKER)
        claimed = workers.claim(self.paper, self._page(place), worker=worker, limit=limit, seconds=seconds)
        self._was_claimed(answer, self._page(place), *claimed, worker=worker)

    @rule(place=PLACE, worker=WORKERS, limit=st.integers(1, 4))
    def claim_of_any_job(self, place: int, worker: str, limit: int) -> None:
        page = self._page(place)
        answer = tracking.claim_any(worker=worker, phase=page.code, limit=limit, by=WORKER)
        claimed = workers.claim_of_any_job(self.paper, page, worker=worker, limit=limit, seconds=LEASE)
        self._was_claimed(answer, page, *claimed, worker=worker)

    def _was_claimed(
        self, answer: tracking.Claimed, page: PaperPhase, keys: list[str], reason: str | None, *, worker: str
    ) -> None:
        assert [item.key for item in answer.items] == keys
        # The phase may not know yet that its first waiting item is due later.
        others = [*(["limit"] if page.full else []), *(["quarantined"] if worker in page.quarantines else [])]
        assert answer.reason == reason or (reason == "retry_wait" and answer.reason in others)
        assert [item.attempt for item in answer.items] == [page.items[key].attempt for key in keys]
        if keys:
            self.paper.settle()

    @rule(worker=WORKERS)
    def heartbeat(self, worker: str) -> None:
        beat = tracking.heartbeat(self.job, worker=worker, by=WORKER)
        renewed = Item.objects.filter(pk__in=[pk for pk, _ in beat.leases]).values_list("phase__code", "key")
        assert {f"{code}/{key}" for code, key in renewed} == workers.heartbeat(self.paper, worker=worker)
        self.paper.settle()

    # --- what time does ------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 30, 31, 90, 91, 900, 4000]), swept=st.booleans())
    def time_passes(self, seconds: int, swept: bool) -> None:
        self.now = self.paper.now = self.now + timedelta(seconds=seconds)
        if swept:
            counts = watchdog.sweep(self.now)
            assert (counts["expired"], counts["watermarks"] > 0) == workers.sweep(self.paper)
            job, _ = self._read()
            assert job.late == (job.due_at is not None and job.due_at <= self.now and not job.is_finished)

    # --- what operators do -----------------------------------------------------------------------------

    @rule(
        act=st.sampled_from(["retry", "retry", "pause", "resume", "resume", "fail", "cancel", "force_complete", "lift"])
    )
    def act_on_the_job(self, act: str) -> None:
        verb: Callable[..., operations.Act] = getattr(operations, act)
        self._same(
            lambda: verb(self.job, actor=None, reason="seen").changed, lambda: getattr(operators, act)(self.paper)
        )

    @rule(keys=SOME_KEYS, taken=st.sampled_from(["skip", "abandoned", "all"]))
    def act_on_items(self, keys: list[str], taken: str) -> None:
        if taken == "skip":
            ids = list(Item.objects.filter(phase__job=self.job, key__in=keys).values_list("pk", flat=True))
            self._same(
                lambda: operations.skip(self.job, items=ids, actor=None).changed,
                lambda: operators.skip(self.paper, dict.fromkeys(keys)),
            )
        else:
            self._same(
                lambda: operations.release(self.job, all=taken == "all", actor=None).changed,
                lambda: operators.release(self.paper, everything=taken == "all"),
            )

    @rule(place=PLACE, what=THRESHOLD | st.sampled_from(["all", "failed"]))
    def act_on_a_phase(self, place: int, what: Any) -> None:
        page = self._page(place)
        if isinstance(what, int):
            self._same(
                lambda: operations.set_threshold(self.job, phase=page.code, threshold=what, actor=None).changed,
                lambda: operators.set_threshold(page, what),
            )
        else:
            self._same(
                lambda: operations.restart(self.job, phase=page.code, only=what, actor=None).changed,
                lambda: operators.restart(self.paper, page, only=what),
            )

    @rule(place=PLACE, most=st.sampled_from([None, 1, 2, 4]), of_project=st.booleans())
    def limit_leases(self, place: int, most: int | None, of_project: bool) -> None:
        if of_project:
            changed = operations.set_project_limit(self.job.project, most, actor=None)
            assert changed == (self.paper.max_leased != most)
            self.paper.max_leased = most
        else:
            page = self._page(place)
            self._same(
                lambda: operations.set_limit(self.job, phase=page.code, max_leased=most, actor=None).changed,
                lambda: operators.set_limit(self.paper, page, most),
            )

    @rule(seconds=st.sampled_from([None, -100, 60, 2000]), from_start=st.booleans())
    def set_due(self, seconds: int | None, from_start: bool) -> None:
        given: dict[str, Any] = {"due_at": seconds and self.now + timedelta(seconds=seconds)}
        if seconds and from_start:
            given = {"expected_seconds": abs(seconds)}
        if self.paper.status not in UNFINISHED_JOB:
            with pytest.raises(errors.Conflict):
                operations.set_due(self.job, actor=None, **given)
            return
        operations.set_due(self.job, actor=None, **given)
        self.paper.settle()

    # --- what always holds -----------------------------------------------------------------------------

    @invariant()
    def the_job_is_as_on_paper(self) -> None:
        job, phases = self._read()
        assert (job.status, job.held) == (self.paper.status, self.paper.held)
        for phase, page in zip(phases, self.paper.phases, strict=True):
            assert told_of(phase) == told_on(page)
            kept = {
                item.key: (
                    item.status,
                    item.attempt,
                    item.tries,
                    item.checksum,
                    item.lease_expires_at,
                    item.failures,
                    item.available_at,
                )
                for item in phase.items.all()
            }
            assert kept == {
                key: (
                    item.status,
                    item.attempt,
                    item.tries,
                    item.checksum,
                    item.lease_until,
                    item.failures,
                    item.waits_until,
                )
                for key, item in page.items.items()
            }

    @invariant()
    def no_waiting_item_is_due_before_the_time_of_its_phase(self) -> None:
        _, phases = self._read()
        for phase, page in zip(phases, self.paper.phases, strict=True):
            assert (phase.next_due_at is None) == (not page.waiting)
            assert not page.waiting or phase.next_due_at <= page.waiting[0]

    @invariant()
    def every_run_that_completed_has_exactly_one_event(self) -> None:
        _, phases = self._read()
        for phase, page in zip(phases, self.paper.phases, strict=True):
            runs = phase.events.filter(outward=True, type=f"{phase.code}.completed").values_list("run", flat=True)
            assert sorted(run or 0 for run in runs) == sorted(page.completions)
            assert max(page.completions.values(), default=1) == 1
            assert (phase.status == "completed") == (phase.run in page.completions)

    @invariant()
    def what_is_stored_of_the_job_is_what_follows_from_its_phases(self) -> None:
        job, phases = self._read()
        states = [phase.state for phase in phases]
        assert job.status == progress.job_status(states, job.held)
        assert (job.percent, job.settled_percent) == (
            progress.job_percent(states),
            progress.job_settled_percent(states),
        )
        assert [phase.gate_open for phase in phases] == progress.gates(states)
        assert (job.finished_at is not None) == job.is_finished
        assert bool(job.error_item_id) == any(phase.failed for phase in phases)
        assert bool(job.error) == any(phase.failed or phase.error for phase in phases)

    @invariant()
    def what_is_late_or_stuck_was_sent_and_what_no_longer_is_was_sent_too(self) -> None:
        job, _ = self._read()
        is_late = is_stuck = False
        for name in Event.objects.filter(job=job, outward=True).order_by("pk").values_list("type", flat=True):
            if name == "job.late":
                assert not is_late
            if name == "job.on_time_again":
                assert is_late
            if name == "job.unstuck":
                assert is_stuck
            is_late = name == "job.late" or (is_late and name not in NOT_LATE)
            is_stuck = name == "job.stuck" or (is_stuck and name != "job.unstuck")
        assert (job.late, bool(job.stuck)) == (is_late, is_stuck)

    @invariant()
    def nothing_runs_backwards(self) -> None:
        job, phases = self._read()
        events = list(Event.objects.filter(job=job).order_by("pk").values_list("pk", "at"))
        assert len(events) >= self.seen["events"]
        assert [at for _, at in events] == sorted(at for _, at in events)
        assert job.revision >= self.seen["revision"]
        self.seen |= {"events": len(events), "revision": job.revision}
        for phase in phases:
            self._percent_never_falls(phase)
            for key, attempt in phase.items.values_list("pk", "attempt"):
                assert attempt >= self.seen["attempts"].get(key, 0)
                self.seen["attempts"][key] = attempt

    def _percent_never_falls(self, phase: Phase) -> None:
        """Check the percent within a run, unless a larger total came; a total of 0 has one only once completed."""
        percents = self.seen["percents"]
        percent = progress.percent(phase.counts, completed=phase.is_completed)
        run, expected, before = percents.get(phase.code, (0, None, None))
        if run == phase.run and before is not None and phase.expected and phase.expected <= expected:
            assert percent is not None
            assert percent >= before
        percents[phase.code] = (phase.run, phase.expected, percent)

    @invariant()
    def a_quarantine_keeps_its_worker_from_the_phase_and_was_sent_once(self) -> None:
        _, phases = self._read()
        for phase, page in zip(phases, self.paper.phases, strict=True):
            assert dict(phase.quarantines.values_list("worker", "until")) == page.quarantines
            assert phase.quarantined == len(page.quarantines)
            for worker, until in page.quarantines.items():
                assert len(page.held_by(worker)) <= int(until <= self.now)
        sent = Event.objects.filter(job=self.job, outward=True, type="job.worker_quarantined").count()
        assert sent == self.seen["quarantines"]

    def _judge(self, page: PaperPhase, worker: str, outcomes: list[tuple[str, str]]) -> None:
        """Check the quarantine of a worker after its results, and follow it in the model."""
        applied = {status for status, outcome in outcomes if outcome == "applied"}
        rows = Quarantine.objects.filter(phase__job=self.job, phase__code=page.code)
        now = dict(rows.values_list("worker", "until"))
        before, until = page.quarantines.get(worker), now.get(worker)
        [other] = {"w1", "w2"} - {worker}
        works = page.succeeded_at.get(other, START - timedelta(days=1)) >= self.now - LATELY
        failures = page.failed_since.get(worker, [])
        if until is None:
            lately = [at for at in failures if at > self.now - timedelta(hours=12)]
            assert not ("failed" in applied and works and len(lately) >= FAILURES)
            assert before is None or "completed" in applied or ("failed" in applied and not works)
        elif until == before:
            assert "completed" not in applied
        else:
            assert (until, "failed" in applied) == (self.now + timedelta(minutes=15), True)
            for item in page.held_by(worker):
                item.free("pending")
            if before is None:
                assert len(failures) >= FAILURES
                assert works or page.held_by(other)
                self.seen["quarantines"] += 1
            assert before is None or before <= self.now
        page.quarantines = now

    # --- the two sides ---------------------------------------------------------------------------------

    def _same(self, act: Callable[[], int], paper_act: Callable[[], int]) -> None:
        """Check that both refuse, or both change as much."""
        try:
            expected = paper_act()
        except Refused:
            with pytest.raises(errors.Conflict):
                act()
            return
        self.paper.settle()
        assert act() == expected

    def _read(self) -> tuple[Job, list[Phase]]:
        return Job.objects.get(pk=self.job.pk), list(self.job.phases.order_by("position"))

    def _phase(self, place: int) -> Phase:
        return self.job.phases.select_related("job").get(position=place)

    def _page(self, place: int) -> PaperPhase:
        return self.paper.phases[place]

    def _attempt(self, place: int, key: str, fence: int | None) -> int | None:
        item = self._page(place).items.get(key)
        return None if fence is None else max(0, (item.attempt if item else 0) + fence)


@pytest.mark.full
@pytest.mark.django_db
def test_whatever_happens_a_job_is_as_the_rules_say() -> None:
    quick = settings(max_examples=size(12, full=100), stateful_step_count=50)
    run_state_machine_as_test(Machine, settings=quick)
