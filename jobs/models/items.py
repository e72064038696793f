"""Items: the units of a phase."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.lookups import In
from django.db.models.sql.where import WhereNode

from jobs.db.expressions import PhaseOfClaim
from jobs.models.phases import Phase
from jobs.rules.error_fingerprints import signature
from jobs.rules.limits import CHECKSUM_LENGTH, ERROR_LENGTH, KEY_LENGTH, NAME_LENGTH, SPLIT_LENGTH, WORKER_LENGTH
from jobs.rules.statuses import ItemStatus

# Columns as expressions, each of which only one index has. PostgreSQL's planner does not know a phase that is newer
# than its statistics: it expects no matching item, so that any index with a plain column looks good. It would take an
# index over the whole phase to find a key, and an index over the whole site to find the pending items of a phase.
PHASE_OF_KEY = Func(F("phase"), template="(%(expressions)s + 0)", output_field=models.BigIntegerField())
ID_IN_PHASE = Func(F("id"), template="(%(expressions)s + 0)", output_field=models.BigIntegerField())
PHASE_OF_CLAIM = PhaseOfClaim(F("phase"))
PHASE_IN_ORDER = Func(F("phase"), template="(%(expressions)s * 1)", output_field=models.BigIntegerField())
STATUS_ON_SITE = Func(F("status"), template="(%(expressions)s || '')", output_field=models.CharField())


def digest(key: str) -> str:
    """Return the 128-bit fingerprint by which a key of any length is unique within its phase."""
    return blake2b(key.encode(), digest_size=16).hexdigest()


class _Guard(WhereNode):
    """Conditions as one expression that no index can answer."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Wrap the conditions in a CASE."""
        sql, parameters = super().as_sql(compiler, connection)
        return f"CASE WHEN {sql} THEN true ELSE false END", parameters


class _OneOf(In):
    """Values of a list of any length; SQLite takes some 32,000 parameters, so there the list is one of them."""

    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        """The list, as JSON on SQLite."""
        if connection.vendor == "sqlite":
            return "(SELECT value FROM json_each(%s))", [json.dumps(self.rhs)]
        return super().process_rhs(compiler, connection)


class ItemQuerySet(models.QuerySet["Item"]):
    """Querysets of items."""

    def failed(self) -> Self:
        """Return the failed items."""
        return self.filter(status=ItemStatus.FAILED)

    def alike(self, error: str) -> Self:
        """Return failures of one group, by its signature or the error of one of them, with or without # for digits."""
        return self.failed().with_signature(error)

    def with_signature(self, error: str) -> Self:
        """Return the items of one group of errors, in whatever status."""
        return self.filter(signature=signature(error))

    def keyed(self, phases: Iterable[int], digests: Iterable[str]) -> Self:
        """Return the items of these phases with these key digests, by the index of keys."""
        return self.within(phases).filter(key_digest__in=list(digests))

    def with_ids(self, ids: Iterable[int]) -> Self:
        """Return the items with these ids. The conditions so far become a guard: only the ids can choose the plan."""
        found = self.all()
        found.query.where = WhereNode([_Guard([found.query.where])])
        return found.filter(_OneOf(F("pk"), list(ids)))

    def in_status(self, status: str) -> Self:
        """Return the items of one status within a phase, by the index of the phase.

        The status is in a subquery: as a constant it would let the planner take a partial index, such as that of all
        leased items of the site.
        """
        return self.filter(status=Func(Value(str(status)), template="(SELECT %(expressions)s)"))

    def in_status_after(self, phase: int, status: str, after: int) -> Self:
        """Return the items of one status within a phase behind an id, in the order of their ids.

        The place is compared as a row: only the index of phase, status and id has this order. By the plain id, the
        planner of PostgreSQL would walk the primary key through the items of other statuses and phases.
        """
        place = ["(phase_id, status, id) > (%s, %s, %s)", "(phase_id, status) <= (%s, %s)"]
        values = [phase, str(status), after, phase, str(status)]
        rows: Any = self.order_by("phase_id", "status", "pk").extra(where=place, params=values)  # noqa: S610  no input
        return rows

    def in_order(self, phase: int) -> Self:
        """Return the items of a phase in the order of their ids, by an index for this list alone."""
        return self.alias(phase_in_order=PHASE_IN_ORDER).filter(phase_in_order=phase).order_by("pk")

    def within(self, phases: Iterable[int]) -> Self:
        """Return the items of these phases where another column chooses the plan: the worker, the lease, the key."""
        return self.alias(phase_of_key=PHASE_OF_KEY).filter(phase_of_key__in=list(phases))

    def on_site(self, status: str) -> Self:
        """Return the items of one status in all jobs, by the index that begins with the status."""
        return self.alias(status_on_site=STATUS_ON_SITE).filter(status_on_site=status)

    def ready(self, phases: Iterable[int]) -> Self:
        """Return the pending items of these phases that never wait, by the index of claims. Order by ID_IN_PHASE.

        By the plain id, PostgreSQL's planner may walk the primary key through all items of older phases.
        """
        return self._of_claim(phases).filter(status=ItemStatus.PENDING, available_at__isnull=True)

    def waiting(self, phases: Iterable[int]) -> Self:
        """Return the pending items of these phases that have a retry time, due or not."""
        return self._of_claim(phases).filter(available_at__isnull=False)

    def _of_claim(self, phases: Iterable[int]) -> Self:
        return self.alias(phase_of_claim=PHASE_OF_CLAIM).filter(phase_of_claim__in=list(phases))

    def held(self) -> Self:
        """Return the items that a worker has leased or started."""
        return self.filter(status=ItemStatus.PROCESSING)

    def by_worker(self, name: str, account: int | None) -> Self:
        """Return the items that a worker holds or has settled: its name under its account."""
        return self.filter(worker=name, account=account)

    def expired(self, now: datetime) -> Self:
        """Return the items whose lease has expired."""
        return self.held().filter(lease_expires_at__lt=now)

    def without_live_lease(self, now: datetime) -> Self:
        """Return the processing items whose lease has expired or that never had one."""
        return self.held().filter(Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=now))


class Item(models.Model):
    """A unit of a phase: an image, a frame, a page range. Ordered by its id.

    `attempt` is the fence: it grows with every claim and every release, and a report with another attempt changes
    nothing. `tries` counts expired leases and `failures` reported failures since the last retry of an operator. A
    pending item with `available_at` waits for an automatic retry until then, and keeps its error.
    """

    phase = models.ForeignKey(Phase, on_delete=models.CASCADE, related_name="items", db_index=False)
    key = models.CharField(max_length=KEY_LENGTH)
    key_digest = models.CharField(max_length=32, editable=False)
    label = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    split = models.CharField(max_length=SPLIT_LENGTH, blank=True, default="")
    payload = models.JSONField(default=dict, blank=True)

    status = models.CharField(max_length=10, choices=[(s, s.capitalize()) for s in ItemStatus], default="pending")
    attempt = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0, db_default=0)
    available_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=WORKER_LENGTH, blank=True, default="")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    lease_seconds = models.PositiveIntegerField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    signature = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    result = models.JSONField(default=dict, blank=True)
    checksum = models.CharField(max_length=CHECKSUM_LENGTH, blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["phase", "status", "id"], name="item_phase_status"),
            models.Index(PHASE_IN_ORDER, F("id"), name="item_in_order"),
            models.Index(
                PHASE_OF_CLAIM,
                ID_IN_PHASE,
                name="item_claimable",
                condition=Q(status="pending", available_at__isnull=True),
            ),
            models.Index(
                PHASE_OF_CLAIM,
                F("available_at"),
                F("id"),
                name="item_due",
                condition=Q(available_at__isnull=False),
            ),
            models.Index(STATUS_ON_SITE, F("id"), name="item_status"),
            models.Index(fields=["lease_expires_at"], name="item_lease", condition=Q(status="processing")),
            models.Index(fields=["phase", "-finished_at", "-id"], name="item_failed", condition=Q(status="failed")),
            models.Index(fields=["-finished_at", "-id"], name="item_failed_lately", condition=Q(status="failed")),
            models.Index(fields=["worker", "phase"], name="item_held", condition=Q(status="processing")),
            models.Index(
                fields=["worker", "-finished_at", "-id"], name="item_failed_by_worker", condition=Q(status="failed")
            ),
        ]
        constraints = [
            models.UniqueConstraint(F("key_digest"), PHASE_OF_KEY, name="item_key_once_per_phase"),
            models.CheckConstraint(condition=Q(status__in=[*ItemStatus]), name="item_status_known"),
            models.CheckConstraint(
                condition=Q(status="processing") | Q(lease_expires_at__isnull=True), name="item_lease_only_when_held"
            ),
            models.CheckConstraint(
                condition=Q(status="pending") | Q(available_at__isnull=True), name="item_waits_only_when_pending"
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.key
