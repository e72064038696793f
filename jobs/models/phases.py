"""Phases: the counted parts of a job, and their settled items by minute."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from jobs.models.jobs import Job
from jobs.rules.limits import CODE_LENGTH, ERROR_LENGTH, NAME_LENGTH, TEMPLATE_LENGTH
from jobs.rules.progress import Counts, PhaseState
from jobs.rules.retries import RetryPolicy
from jobs.rules.statuses import OPEN_PHASE, CompletedBy, JobStatus, Moving, PhaseStatus, Shortfall, Trigger

ONLY_WAITS = Q(
    Q(expected__isnull=True) | Q(items_total__gte=F("expected")),
    waiting__gt=0,
    processing=0,
    items_total=F("done") + F("failed") + F("skipped") + F("waiting"),
)
WORKING_JOB = (JobStatus.PENDING, JobStatus.PROCESSING)


def has_ready_items(now: datetime) -> Q:
    """Match phases with pending items that never wait, or may be due."""
    taken = F("done") + F("failed") + F("skipped") + F("processing") + F("waiting")
    return Q(items_total__gt=taken) | Q(next_due_at__lte=now)


class PhaseQuerySet(models.QuerySet["Phase"]):
    """Querysets of phases."""

    def claimable(self, *, code: str, kind: str = "") -> Self:
        """Return unfinished phases of this code whose gate is open and whose job is not paused or cancelled."""
        phases = self.working().filter(code=code, job__status__in=WORKING_JOB)
        return phases.filter(job__kind=kind) if kind else phases

    def working(self) -> Self:
        """Return the open phases whose gate is open."""
        return self.filter(status__in=OPEN_PHASE, gate_open=True)

    def with_ready_items(self) -> Self:
        """Return the phases with pending items to claim now: some never wait, or may be due."""
        return self.filter(has_ready_items(timezone.now()))

    def most_urgent_first(self) -> Self:
        """Order by priority, then by age, as the index of open phases does."""
        return self.order_by("-priority", "pk")

    def below_limit(self) -> Self:
        """Return the phases that have fewer leased items than they may have."""
        return self.filter(Q(max_leased__isnull=True) | Q(processing__lt=F("max_leased")))

    def past_watermark(self, now: datetime) -> Self:
        """Return open phases whose deadline has passed and whose gate is open."""
        return self.filter(deadline_at__lte=now, status__in=OPEN_PHASE, gate_open=True)

    def doomed(self) -> Self:
        """Return open phases whose threshold is out of reach, because too many items have failed."""
        failing = self.filter(failed__gt=0, status__in=OPEN_PHASE)
        lost = F("failed") * 100 + F("expected") * F("threshold")
        return failing.annotate(lost=lost).filter(lost__gt=F("expected") * 100)

    def only_failing(self, least: int) -> Self:
        """Return open phases in which at least so many items have failed and none has succeeded."""
        return self.filter(failed__gte=least, done=0, skipped=0, status__in=OPEN_PHASE)


class Phase(models.Model):
    """A counted part of a job, done by one kind of worker.

    Its counters always equal its items (or, without items, the counts of its worker). They move only in the
    transaction that moves the items, under the lock of the job's row. `waits_for_all` means that its run was reopened
    for new items with its threshold met already, so that it completes when every item is settled. `waiting` of its
    pending items have a retry time, and none is due before `next_due_at`, which may be earlier than the first of them.
    `amending` means that a failed item got another chance after the phase had completed. `quarantined` counts the rows
    of its quarantines. `moving` is the kind of the large act that moves its items in portions, and `moving_act` the id
    of that `BulkAct`.
    At most `max_leased` of its items are leased at once. `priority` is that of its job, copied for the index of the
    common claim.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="phases")
    code = models.CharField(max_length=CODE_LENGTH)
    position = models.PositiveIntegerField()
    asset_type = models.CharField(max_length=CODE_LENGTH, blank=True, default="")
    label = models.CharField(max_length=NAME_LENGTH)
    stage = models.CharField(max_length=TEMPLATE_LENGTH)
    weight = models.PositiveBigIntegerField(default=100)
    threshold = models.PositiveSmallIntegerField()
    trigger = models.CharField(max_length=12, choices=[(t, t) for t in Trigger])
    on_shortfall = models.CharField(max_length=7, choices=[(s, s) for s in Shortfall])
    gated = models.BooleanField(default=False)
    watermark_ttl = models.PositiveIntegerField()
    retries = models.PositiveSmallIntegerField(default=0, db_default=0)
    retry_delay = models.PositiveIntegerField(default=30, db_default=30)
    retry_delay_max = models.PositiveIntegerField(default=3600, db_default=3600)
    silent_after = models.PositiveIntegerField(null=True, blank=True)
    stalled_after = models.PositiveIntegerField(null=True, blank=True)
    max_leased = models.PositiveIntegerField(null=True, blank=True)
    priority = models.SmallIntegerField(default=0, db_default=0)

    run = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10, choices=[(s, s.capitalize()) for s in PhaseStatus], default="pending")
    gate_open = models.BooleanField(default=True)
    listed = models.BooleanField(default=False)
    counted = models.BooleanField(default=False)
    announced = models.BooleanField(default=False)
    forced = models.BooleanField(default=False)
    waits_for_all = models.BooleanField(default=False)
    amending = models.BooleanField(default=False, db_default=False)

    expected = models.BigIntegerField(null=True, blank=True)
    items_total = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    processing = models.BigIntegerField(default=0)
    waiting = models.BigIntegerField(default=0, db_default=0)

    partial = models.BooleanField(default=False)
    completed_by = models.CharField(max_length=9, choices=[(c, c) for c in CompletedBy], blank=True, default="")
    error = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    moving = models.CharField(max_length=14, choices=[(m, m) for m in Moving], blank=True, default="")
    moving_act = models.BigIntegerField(null=True, blank=True)
    current_item_id = models.BigIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    deadline_left = models.DurationField(null=True, blank=True)
    last_item_at = models.DateTimeField(null=True, blank=True)
    quarantined = models.PositiveIntegerField(default=0, db_default=0)
    next_due_at = models.DateTimeField(null=True, blank=True)

    objects = PhaseQuerySet.as_manager()

    class Meta:
        ordering = ["job_id", "position"]
        indexes = [
            models.Index(
                fields=["code", "-priority", "id"],
                name="phase_open",
                condition=Q(status__in=["pending", "processing"]),
            ),
            models.Index(fields=["deadline_at"], name="phase_deadline", condition=Q(deadline_at__isnull=False)),
            models.Index(
                fields=["last_item_at"],
                name="phase_unannounced",
                condition=Q(expected__isnull=True, last_item_at__isnull=False, status__in=["pending", "processing"]),
            ),
            models.Index(
                fields=["job"],
                name="phase_failing",
                condition=Q(failed__gt=0, status__in=["pending", "processing"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["job", "code"], name="phase_code_once_per_job"),
            models.UniqueConstraint(fields=["job", "position"], name="phase_position_once_per_job"),
            models.CheckConstraint(condition=Q(status__in=[*PhaseStatus]), name="phase_status_known"),
            models.CheckConstraint(condition=Q(threshold__lte=100), name="phase_threshold_100"),
            models.CheckConstraint(condition=Q(expected__isnull=True) | Q(expected__gte=0), name="phase_expected_0"),
            models.CheckConstraint(
                condition=Q(done__gte=0, failed__gte=0, skipped__gte=0, processing__gte=0), name="phase_counts_0"
            ),
            models.CheckConstraint(condition=Q(waiting__gte=0), name="phase_waiting_0"),
            models.CheckConstraint(
                condition=Q(counted=True)
                | Q(items_total__gte=F("done") + F("failed") + F("skipped") + F("processing")),
                name="phase_counts_within_items",
            ),
            models.CheckConstraint(
                condition=~Q(status="completed") | Q(completed_at__isnull=False, expected__isnull=False),
                name="phase_completed_has_total",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job.name} · {self.code}"

    @property
    def counts(self) -> Counts:
        """The counters, as the rules take them."""
        return Counts(self.expected, self.done, self.failed, self.skipped, self.processing)

    @property
    def state(self) -> PhaseState:
        """The state of this phase, as the rules take it."""
        return PhaseState(
            counts=self.counts,
            status=PhaseStatus(self.status),
            weight=self.weight,
            threshold=self.threshold,
            trigger=Trigger(self.trigger),
            on_shortfall=Shortfall(self.on_shortfall),
            gated=self.gated,
            begun=self.started_at is not None,
            waits_for_all=self.waits_for_all,
            moving=Moving(self.moving),
        )

    @property
    def is_open(self) -> bool:
        """True while neither completed nor failed nor cancelled."""
        return self.status in OPEN_PHASE

    @property
    def is_completed(self) -> bool:
        """True once completed in this run, by any cause."""
        return self.status == PhaseStatus.COMPLETED

    @property
    def is_closed_for_good(self) -> bool:
        """True if forced or cancelled, so that only a restart opens it again."""
        return self.forced or self.status == PhaseStatus.CANCELLED

    @property
    def has_items(self) -> bool:
        """True if its work is items, listed or reported; otherwise it is counted or finished by name."""
        return self.listed or self.items_total > 0

    @property
    def room(self) -> int | None:
        """The number of items that may still be leased; None without a limit."""
        return None if self.max_leased is None else max(0, self.max_leased - self.processing)

    @property
    def pending_items(self) -> int:
        """The number of items without a worker and without an outcome."""
        return self.items_total - self.done - self.failed - self.skipped - self.processing

    @property
    def reworked_items(self) -> int:
        """The number of open items of a completed phase in which failed items got another chance; else 0."""
        return max(0, self.items_total - self.counts.settled) if self.amending and self.is_completed else 0

    @property
    def retry_policy(self) -> RetryPolicy:
        """The automatic retries, as the rules take them."""
        return RetryPolicy(self.retries, self.retry_delay, self.retry_delay_max)

    @property
    def only_waits(self) -> bool:
        """True if every item that is left waits for its retry, so that no progress is expected before `next_due_at`."""
        complete = self.expected is None or self.items_total >= self.expected
        return complete and self.waiting > 0 and self.pending_items == self.waiting and not self.processing

    def ready_items(self, now: datetime) -> int:
        """Return the number of pending items that may be claimed now; some of the waiting ones may not be due yet."""
        return self.pending_items - (0 if self.may_have_due_items(now) else self.waiting)

    def may_have_due_items(self, now: datetime) -> bool:
        """Return whether the retry of a waiting item may be due."""
        return self.next_due_at is not None and self.next_due_at <= now


def phases_of(jobs: Iterable[Job]) -> dict[int, list[Phase]]:
    """Return the phases of each of these jobs in their order, by the job's id; one statement.

    The same statement updates the jobs, so that a job never contradicts its phases. Two statements would show
    `pending` beside 100 % where a commit came between them. A deleted job has no phases.
    """
    given = {job.pk: job for job in jobs}
    found: dict[int, list[Phase]] = {pk: [] for pk in given}
    # The metadata may be large and would come once for each phase.
    rows = Phase.objects.filter(job_id__in=list(given)).select_related("job").defer("job__metadata")
    for phase in rows.order_by("job_id", "position"):
        job = given[phase.job_id]
        if not found[job.pk]:
            for column in _COLUMNS_OF_A_JOB:
                setattr(job, column, getattr(phase.job, column))
        phase.job = job
        found[job.pk].append(phase)
    return found


_COLUMNS_OF_A_JOB = [field.attname for field in Job._meta.concrete_fields if field.attname != "metadata"]


class Tally(models.Model):
    """The items that a phase settled in one minute of its current run."""

    phase = models.ForeignKey(Phase, on_delete=models.CASCADE, related_name="tallies")
    minute = models.DateTimeField()
    done = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        indexes = [models.Index(fields=["minute"], name="tally_minute")]
        constraints = [models.UniqueConstraint(fields=["phase", "minute"], name="tally_once_per_minute")]

    def __str__(self) -> str:
        return f"{self.phase_id} {self.minute:%H:%M}"
