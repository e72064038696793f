"""Test data of the measurements: `python -m benchmarks.seed '{"jobs": 1000, …}'` fills a database and prints its ids.

The order has `jobs` (how many jobs of ten items, in every state) and `lists` (sizes of further jobs by name, whose
items are all pending). The rows are written by SQL, in the states that real calls would leave behind.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import django

django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402
from knox.models import AuthToken  # noqa: E402

from jobs import tracking  # noqa: E402
from jobs.access import Role  # noqa: E402
from jobs.change import Actor  # noqa: E402
from jobs.db import bulk_sql  # noqa: E402
from jobs.models import Item, Job, Phase, Tally, Worker  # noqa: E402
from jobs.models.items import digest  # noqa: E402
from jobs.rules.pipelines import PhaseSpec  # noqa: E402

ITEMS = 10
JOBS_TOGETHER = 2000
ITEMS_TOGETHER = 20_000
DAYS = 90
TALLIED = 100


@dataclass(frozen=True)
class State:
    """Fields of a job in one of the states."""

    share: int
    status: str
    stuck: str = ""
    done: int = 0
    failed: int = 0
    processing: int = 0

    @property
    def phase_status(self) -> str:
        """Status of its one phase."""
        return "completed" if self.status == "completed" else "pending" if self.status == "pending" else "processing"


# Numbers of completed, failed, processing, stuck and pending jobs among twenty.
STATES = (
    State(14, "completed", done=10),
    State(2, "completed", done=8, failed=2),
    State(2, "processing", done=5, failed=1, processing=2),
    State(1, "processing", stuck="silent", done=4, failed=1),
    State(1, "pending"),
)
CYCLE = [state for state in STATES for _ in range(state.share)]

JOB_FIELDS = (
    "id", "name", "kind", "status", "partial", "stuck", "stuck_since", "stage", "percent", "settled_percent", "error",
    "created_at", "updated_at", "started_at", "finished_at", "watched_from",
)  # fmt: skip
PHASE_FIELDS = (
    "id", "job", "code", "position", "label", "stage", "threshold", "trigger", "on_shortfall", "watermark_ttl",
    "status", "listed", "expected", "items_total", "done", "failed", "processing", "partial", "completed_by",
    "started_at", "completed_at",
)  # fmt: skip
ITEM_FIELDS = ("phase", "key", "key_digest", "status", "attempt", "error", "signature", "finished_at")


def fill(order: dict[str, Any]) -> dict[str, Any]:
    """Fill the database; return the ids and credentials."""
    call_command("migrate", verbosity=0)
    ids = {name: listed(name, size=size) for name, size in order["lists"].items()}
    with transaction.atomic():
        many_jobs(order["jobs"])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {"token": worker_token(), "session": lead_session(), "ids": ids}


def listed(name: str, *, size: int) -> int:
    """Create a job with one phase of pending items; return its id."""
    spec = PhaseSpec(code="items", expected=size)
    job = tracking.create_job(name=name, phases=[spec], items=[], by=Actor(name="seed")).job
    phase = Phase.objects.get(job=job)
    with transaction.atomic():
        Phase.objects.filter(pk=phase.pk).update(items_total=size)
        for start in range(0, size, ITEMS_TOGETHER):
            keys = [f"k{number}" for number in range(start, min(start + ITEMS_TOGETHER, size))]
            values = [(key, digest(key)) for key in keys]
            bulk_sql.insert(Item, values, fields=("key", "key_digest"), constants={"phase": phase.pk})
    return int(job.pk)


def many_jobs(number: int) -> None:
    """Create jobs of ten items, the newest with the latest heartbeat."""
    now = timezone.now()
    first = (Job.objects.order_by("-pk").values_list("pk", flat=True).first() or 0) + 1
    phase = (Phase.objects.order_by("-pk").values_list("pk", flat=True).first() or 0) + 1
    for start in range(0, number, JOBS_TOGETHER):
        ages = [(n, CYCLE[n % len(CYCLE)], age(n, of=number, now=now)) for n in range(start, start + JOBS_TOGETHER)]
        bulk_sql.insert(Job, [job_row(first + n, state, at) for n, state, at in ages], fields=JOB_FIELDS)
        bulk_sql.insert(
            Phase, [phase_row(phase + n, first + n, state, at) for n, state, at in ages], fields=PHASE_FIELDS
        )
        bulk_sql.insert(Item, list(item_rows(ages, first_phase=phase)), fields=ITEM_FIELDS)
    working = Phase.objects.filter(status="processing").values_list("pk", flat=True)[:TALLIED]
    minutes = [now.replace(second=0, microsecond=0) - timedelta(minutes=n) for n in range(5)]
    tallies = [(pk, minute, 5, 1) for pk in working for minute in minutes]
    bulk_sql.insert(Tally, tallies, fields=("phase", "minute", "done", "failed"))
    bulk_sql.insert(Worker, [(f"w{n}", now, first) for n in range(20)], fields=("name", "seen_at", "job"))


def age(number: int, *, of: int, now: datetime) -> datetime:
    """Return the age of a job's last heartbeat: spread over the last ninety days."""
    return now - timedelta(days=DAYS) * (1 - (number + 1) / of)


def job_row(pk: int, state: State, at: datetime) -> tuple[Any, ...]:
    """Return the row of a job."""
    finished = at if state.status == "completed" else None
    percent = 100 if finished else state.done * 10
    error = "k9 failed: no answer after 30 s" if state.failed else ""
    return (
        pk, f"job-{pk}", "generic", state.status, bool(finished and state.failed), state.stuck,
        at if state.stuck else None, f"Processing {state.done}/{ITEMS}", percent, percent, error,
        at, at, None if state.status == "pending" else at, finished, at,
    )  # fmt: skip


def phase_row(pk: int, job: int, state: State, at: datetime) -> tuple[Any, ...]:
    """Return the row of its phase."""
    completed = state.phase_status == "completed"
    by = ("settled" if state.failed else "all_done") if completed else ""
    return (
        pk, job, "items", 0, "Items", "Processing {done}/{expected}", 100, "when_settled", "partial", 900,
        state.phase_status, True, ITEMS, ITEMS, state.done, state.failed, state.processing,
        bool(completed and state.failed), by, None if state.status == "pending" else at, at if completed else None,
    )  # fmt: skip


def item_rows(ages: Sequence[tuple[int, State, datetime]], *, first_phase: int) -> Iterator[tuple[Any, ...]]:
    """Return the rows of their items."""
    for number, state, at in ages:
        for place in range(ITEMS):
            status = status_of(place, state)
            failed = status == "failed"
            error, signature = ("no answer after 30 s", "no answer after # s") if failed else ("", "")
            key = f"k{place}"
            finished = at if status in ("completed", "failed") else None
            yield (first_phase + number, key, digest(key), status, 1, error, signature, finished)


def status_of(place: int, state: State) -> str:
    """Return the status of the item at this place: first the completed ones, then the failed, then the held."""
    for status, until in (
        ("completed", state.done),
        ("failed", state.done + state.failed),
        ("processing", state.done + state.failed + state.processing),
    ):
        if place < until:
            return status
    return "pending"


def worker_token() -> str:
    """Return the token of a worker."""
    account = User.objects.create_user("worker")
    account.groups.set([Group.objects.get(name=Role.WORKER)])
    return str(AuthToken.objects.create(account)[1])


def lead_session() -> str:
    """Return the session of a signed-in lead."""
    account = User.objects.create_superuser("lead")
    session = SessionStore()
    session[SESSION_KEY] = str(account.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = account.get_session_auth_hash()
    session.save()
    return str(session.session_key)


if __name__ == "__main__":
    json.dump(fill(json.loads(sys.argv[1])), sys.stdout)
