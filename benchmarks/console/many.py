"""Thousands of jobs of one phase, written by SQL in the states that real calls leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.console.errors import error
from jobs.db import bulk_sql
from jobs.models import Item, Job, Phase, Tally
from jobs.models.items import digest
from jobs.rules.error_fingerprints import signature

ITEMS = 26
JOBS_TOGETHER = 1000
DAYS = 90
FOREVER = 365 * 86_400  # seconds that a running job may be silent: nothing reports here
PROJECTS = ("", "matter-789", "catalogue 2026", "قضية-١٢", "תיק-44", "🚀 launch", "north", "south", "east", "west")
NAMES = (
    "batch",
    "Quarterly report 2026",
    "ملف الصور",
    "דוח שנתי",
    "🎬 trailer",
    "vision",
    "re-index",
    "scan of contract",
)
WORKERS = 60


@dataclass(frozen=True)
class Mix:
    """A number of jobs among 18,930, and the outcomes of their items."""

    jobs: int
    status: str
    stuck: str = ""
    done: int = 0
    failed: int = 0
    skipped: int = 0
    processing: int = 0
    late: bool = False

    @property
    def phase_status(self) -> str:
        """Status of the one phase."""
        return "processing" if self.status in ("paused", "processing") else self.status

    @property
    def statuses(self) -> list[str]:
        """Status of each item, in order: failures first, so that they are spread over the keys of small jobs."""
        some = ["failed"] * self.failed + ["processing"] * self.processing + ["skipped"] * self.skipped
        settled = some + ["completed"] * self.done
        return settled + ["pending"] * (ITEMS - len(settled))

    @property
    def is_over(self) -> bool:
        """True for jobs that are finished."""
        return self.status in ("completed", "failed", "cancelled")


MIXES = (
    Mix(75, "processing", stuck="silent", done=11, failed=2, processing=1),
    Mix(202, "failed", done=18, failed=8),
    Mix(120, "processing", done=9, failed=1, skipped=2, processing=2),
    Mix(12, "processing", done=9, processing=2, late=True),
    Mix(60, "pending"),
    Mix(9, "paused", done=5),
    Mix(40, "cancelled", done=7, failed=1),
    Mix(270, "completed", done=20, failed=3, skipped=3),
    Mix(18_142, "completed", done=22, skipped=4),
)
JOB_FIELDS = (
    "id", "name", "kind", "project", "status", "held", "partial", "late", "due_at", "stuck", "stuck_since", "stage",
    "percent", "settled_percent", "error", "created_at", "updated_at", "started_at", "finished_at", "heartbeat_at",
    "progress_at", "watched_from", "silent_limit", "stalled_limit",
)  # fmt: skip
PHASE_FIELDS = (
    "id", "job", "code", "position", "label", "stage", "threshold", "trigger", "on_shortfall", "watermark_ttl",
    "status", "listed", "expected", "items_total", "done", "failed", "skipped", "processing", "partial",
    "completed_by", "started_at", "completed_at",
)  # fmt: skip
ITEM_FIELDS = (
    "phase", "key", "key_digest", "status", "attempt", "error", "signature", "worker", "account", "started_at",
    "finished_at", "lease_expires_at",
)  # fmt: skip


@dataclass(frozen=True)
class Planned:
    """A job to write: its number, its mix, and the times of its start and its last sign of life."""

    number: int
    mix: Mix
    started: datetime
    at: datetime


def make_many(number: int) -> None:
    """Create so many jobs, the unfinished ones among the newest."""
    now, account = timezone.now(), User.objects.get(username="worker").pk
    plan = list(_plan(number, now=now))
    with transaction.atomic():
        for start in range(0, number, JOBS_TOGETHER):
            some = plan[start : start + JOBS_TOGETHER]
            bulk_sql.insert(Job, [_job(each) for each in some], fields=JOB_FIELDS)
            bulk_sql.insert(Phase, [_phase(each) for each in some], fields=PHASE_FIELDS)
            bulk_sql.insert(Item, [row for each in some for row in _items(each, account)], fields=ITEM_FIELDS)
        bulk_sql.insert(Tally, list(_tallies(plan, now=now)), fields=("phase", "minute", "done", "failed"))
        _restart_sequences()


def _plan(number: int, *, now: datetime) -> Iterator[Planned]:
    """Spread the jobs of each mix over time: finished ones over ninety days, the others over the last hours."""
    total = sum(mix.jobs for mix in MIXES)
    mixes = [mix for mix in reversed(MIXES) for _ in range(max(1, round(mix.jobs * number / total)))]
    for place, mix in enumerate(mixes[-number:], 1):
        if mix.is_over:
            age = timedelta(days=DAYS) * (1 - place / number) ** 2 + timedelta(minutes=place % 90)
        else:
            age = timedelta(minutes=20 + place * 7 % 600) if mix.stuck else timedelta(seconds=place % 50)
        at = now - age
        yield Planned(place, mix, at - timedelta(minutes=3 + place * 13 % 200), at)


def _job(each: Planned) -> tuple[Any, ...]:
    mix, at = each.mix, each.at
    processed, settled = mix.done + mix.skipped, mix.done + mix.skipped + mix.failed
    name = f"{NAMES[each.number % len(NAMES)]} {each.number:05}"
    is_begun, is_completed = mix.status != "pending", mix.status == "completed"
    stage = mix.status.capitalize() if mix.is_over else f"Processing {mix.done}/{ITEMS}"
    failure = f"k0 failed: {error(each.number)}" if mix.failed else ""
    held = mix.status if mix.status in ("paused", "cancelled") else ""
    return (
        each.number, name, ("generic", "vision")[each.number % 2], PROJECTS[each.number % len(PROJECTS)], mix.status,
        held, is_completed and bool(mix.failed), mix.late, at - timedelta(minutes=40) if mix.late else None, mix.stuck,
        at + timedelta(minutes=10) if mix.stuck else None, stage, 100 if is_completed else processed * 100 // ITEMS,
        100 if is_completed else settled * 100 // ITEMS, failure, each.started, at,
        each.started if is_begun else None, at if mix.is_over else None, at if is_begun else None,
        at if is_begun else None, each.started, None if mix.stuck else FOREVER, None if mix.stuck else FOREVER,
    )  # fmt: skip


def _phase(each: Planned) -> tuple[Any, ...]:
    mix, completed = each.mix, each.mix.status == "completed"
    by = ("settled" if mix.failed else "all_done") if completed else ""
    return (
        each.number, each.number, "items", 0, "Items", "Processing {done}/{expected}", 90, "when_settled",
        "fail" if mix.status == "failed" else "partial", 900, mix.phase_status, True, ITEMS, ITEMS, mix.done,
        mix.failed, mix.skipped, mix.processing, completed and bool(mix.failed), by,
        each.started if mix.status != "pending" else None, each.at if completed else None,
    )  # fmt: skip


def _items(each: Planned, account: int) -> Iterator[tuple[Any, ...]]:
    held_until = each.at - timedelta(minutes=1) if each.mix.stuck else each.at + timedelta(days=7)
    for place, status in enumerate(each.mix.statuses):
        failed, held, settled = status == "failed", status == "processing", status in ("completed", "failed")
        text = error(each.number * 7 + place) if failed else ""
        key = f"page-{place:04}.png"
        began = each.started + (each.at - each.started) * place / ITEMS
        worker = f"gpu-{(each.number + place) % WORKERS:02}" if settled or held else ""
        yield (
            each.number, key, digest(key), status, int(settled or held), text, signature(text) if text else "",
            worker, account if worker else None, began if worker else None,
            began + timedelta(seconds=9) if settled else None, held_until if held else None,
        )  # fmt: skip


def _tallies(plan: list[Planned], *, now: datetime) -> Iterator[tuple[Any, ...]]:
    """Return what the running jobs settled in the last hour, minute by minute."""
    running = [each for each in plan if each.mix.status == "processing" and not each.mix.stuck][:40]
    this_minute = now.replace(second=0, microsecond=0)
    for each in running:
        for minute in range(60):
            yield (
                each.number,
                this_minute - timedelta(minutes=minute),
                3 + each.number * minute % 7,
                int(minute % 17 == 0),
            )


def _restart_sequences() -> None:
    """Let PostgreSQL continue after the ids that were written."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for table in ("jobs_job", "jobs_phase"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))")
