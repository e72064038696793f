"""A job for each state that a page can show, made by the calls of workers and operators."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

from django.contrib.auth.models import User
from django.utils import timezone

from benchmarks.console.clock import ago
from benchmarks.console.pipelines import PipelineStories
from benchmarks.console.work import DAY, ENDLESS, Work, limit
from jobs import operations, tracking
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall, Trigger
from jobs.tracking import NewItem
from jobs.watchdog import sweep

STEPS = (
    "ingest", "virus-scan", "thumbnails", "segmentation", "embeddings", "keypoints", "ocr", "translation", "entities",
    "deduplication", "index", "notify",
)  # fmt: skip


class JobStories(Work):
    """Makes jobs in each state."""

    def pending(self) -> None:
        """A job that nothing has claimed."""
        with ago(4):
            self.job("story 01 pending", 40)

    def running(self) -> None:
        """A job in the middle of its work, with failures and skipped items."""
        with ago(50):
            job = self.job("story 02 running", 400, threshold=90)
        for minutes in range(48, 0, -2):
            with ago(minutes):
                self.work(job, done=9, failed=int(minutes % 12 == 0), skipped=int(minutes % 6 == 0))
        with ago(0.3):
            self.work(job, keep=6)

    def large(self) -> None:
        """A job of many items in blocks, some with failures."""
        with ago(300):
            job = self.job("story 03 large", self.scaled(9_000))
        for part in range(8):
            with ago(280 - part * 30):
                self.work(job, done=self.scaled(780), failed=self.scaled(4 * part) if part else 0)

    def stuck(self) -> None:
        """A job whose worker went away with its leases."""
        with ago(90):
            job = self.job("story 04 stuck", 120)
            self.work(job, done=44, failed=3)
        with ago(46):
            tracking.claim(self.phase(job), worker="gpu-58", limit=40, lease_seconds=60, by=self.by)
        limit(job, None)

    def late(self) -> None:
        """A running job after its due time."""
        with ago(80):
            job = self.job("story 05 late", 60)
            self.work(job, done=20)
        with ago(70):
            operations.set_due(job, due_at=timezone.now() + timedelta(minutes=30), actor=self.omar, reason="")
        with ago(1):
            self.work(job, done=4, keep=2)

    def failed(self) -> None:
        """A job that missed its threshold."""
        with ago(200):
            job = self.job("story 06 failed", 60, threshold=95, on_shortfall=Shortfall.FAIL)
        with ago(120):
            self.work(job, done=48, failed=12)

    def completed(self) -> None:
        """A job without a failure."""
        with ago(400):
            job = self.job("story 07 completed", 60)
        with ago(360):
            self.work(job, done=55, skipped=5)

    def partial(self) -> None:
        """A job that completed with failures."""
        with ago(500):
            job = self.job("story 08 partial", 120, threshold=90)
        with ago(470):
            self.work(job, done=112, failed=8)

    def forced(self) -> None:
        """A job that a lead completed at 17 of 20."""
        with ago(700):
            job = self.job("story 09 forced", 20)
            self.work(job, done=17)
        with ago(650):
            operations.force_complete(
                job, actor=self.olga, reason="The customer needs the set tonight; the last three are blank pages."
            )

    def reworking(self) -> None:
        """A completed job with failed items that are done again."""
        with ago(900):
            job = self.job("story 10 reworking", 80, threshold=80)
            self.work(job, done=70, failed=10)
        with ago(30):
            operations.retry(job, actor=self.omar, reason="Storage is back.")
        with ago(5):
            self.work(job, done=2, failed=1)

    def paused(self) -> None:
        """A job that an operator paused."""
        with ago(100):
            job = self.job("story 11 paused", 90)
            self.work(job, done=30, failed=2)
        with ago(20):
            operations.pause(job, actor=self.omar, reason="Maintenance of the store until 14:00.")

    def cancelled(self) -> None:
        """A job that a lead cancelled."""
        with ago(2000):
            job = self.job("story 12 cancelled", 50)
            self.work(job, done=12, failed=1)
        with ago(1900):
            operations.cancel(job, actor=self.olga, reason="Wrong input.")

    def retries(self) -> None:
        """A job of two items, one of which waits for its retry."""
        with ago(2):
            job = self.job("story 13 waiting for a retry", 2, retries=4, retry_delay=3000)
            self.work(job, done=1, failed=1)

    def unannounced(self) -> None:
        """A job whose total is not known."""
        with ago(60):
            job = tracking.create_job(
                name="story 14 total unknown", project="matter-789", phases=[PhaseSpec(code="fit", label="Model fit")],
                deadlines=ENDLESS, by=self.by,
            ).job  # fmt: skip
            tracking.start(self.phase(job), by=self.by)

    def counted(self) -> None:
        """A counted job of 200,000, most of it skipped."""
        with ago(500):
            phases = [PhaseSpec(code="rows", label="Rows", expected=200_000)]
            job = tracking.create_job(
                name="story 15 counted", project="matter-789", phases=phases, deadlines=ENDLESS, by=self.by
            ).job
            tracking.start(self.phase(job), by=self.by)
        with ago(1):
            phase = self.phase(job)
            tracking.count(phase, done=127_361, failed=17, skipped=2_580, event_id=uuid4(), by=self.by)

    def twelve(self, name: str, *, ended: int, running: int = 1, failing: bool = False) -> None:
        """A job of twelve phases, so many of them completed, the next running."""
        specs = [
            PhaseSpec(
                code=code,
                label=code.capitalize().replace("-", " "),
                weight=5 + place,
                watermark_ttl=DAY,
                threshold=90 if place % 2 else 100,
                gated=place > 0 and place % 3 == 0,
                trigger=Trigger.WHEN_SETTLED,
                on_shortfall=Shortfall.PARTIAL,
            )
            for place, code in enumerate(STEPS)
        ]  # fmt: skip
        start = 600
        with ago(start):
            job = self.job(name, 60, specs=specs)
            for code in STEPS[1:]:
                tracking.add_items(self.phase(job, code), items=[NewItem(f"frame-{n}") for n in range(60)], by=self.by)
                tracking.announce(self.phase(job, code), expected=60, by=self.by)
        for place, code in enumerate(STEPS[:ended]):
            begun = start - 20 - place * 40
            with ago(begun):
                self.work(job, code, done=20)
            with ago(begun - 30 - place % 3 * 25):
                self.work(job, code, done=40 - place % 4, failed=place % 4)
        for place, code in enumerate(STEPS[ended : ended + running]):
            with ago(30 - place * 5):
                self.work(job, code, done=1 if failing else 25 + place * 7, failed=24 if failing else 3)
            with ago(1):
                self.work(job, code, done=2, keep=3)


def make_stories(accounts: Mapping[str, User], *, size: float) -> None:
    """Make every story; a sweep marks what is stuck or late."""
    stories, pipelines = JobStories(accounts, size=size), PipelineStories(accounts, size=size)
    for story in (
        stories.pending, stories.running, stories.large, stories.stuck, stories.late, stories.failed, stories.completed,
        stories.partial, stories.forced, stories.reworking, stories.paused, stories.cancelled, stories.retries,
        stories.unannounced, stories.counted, pipelines.documents, pipelines.sessions,
    ):  # fmt: skip
        story()
    stories.twelve("story 16 twelve phases", ended=7, running=2)
    stories.twelve("story 17 twelve phases, failing", ended=4, failing=True)
    stories.twelve("story 18 twelve phases, completed", ended=12)
    with ago(35):
        sweep()
    sweep()
