"""The database of a run from inside: `fill` prepares it, `settle` ends what is due, `check` returns the invariants.

Each is a process over the settings of the site: `python -m benchmarks.chaos.ledger fill ORDER`, with JSON on stdout.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Count, F, Q  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.seed import listed  # noqa: E402
from jobs import outbox, watchdog  # noqa: E402
from jobs.access import Role  # noqa: E402
from jobs.api import tokens  # noqa: E402
from jobs.models import BulkAct, Delivery, Endpoint, Event, Item, Phase  # noqa: E402
from jobs.operations import bulk  # noqa: E402
from jobs.operations.endpoints import add_endpoint  # noqa: E402

SETTLE_SECONDS = 120
LARGE_JOB = "large"
SHOWN = 5


def fill(order: dict[str, Any]) -> dict[str, Any]:
    """Create the tables, the accounts, the endpoints and a large job whose items are done; return the tokens."""
    call_command("migrate", verbosity=0)
    large = listed(LARGE_JOB, size=order["large"])
    Phase.objects.filter(job=large).update(code="large", done=order["large"], started_at=timezone.now())
    Item.objects.filter(phase__job=large).update(status="completed", attempt=1, finished_at=timezone.now())
    for url in order["endpoints"]:
        add_endpoint(url=url, types=["*"], actor=None)
    roles = [Role.WORKER, Role.OPERATOR, Role.LEAD]
    return {
        "worker": tokens.issue("worker", roles=[Role.WORKER]),
        "lead": tokens.issue("lead", roles=roles),
        "large": large,
    }


def settle(order: dict[str, Any]) -> dict[str, Any]:
    """Let time pass: bulk acts go on, leases expire, deliveries are tried until none waits."""
    end = time.monotonic() + SETTLE_SECONDS
    later = timezone.now() + timedelta(hours=1)
    while time.monotonic() < end:
        left = bulk.run_bulk_acts(seconds=5)
        watchdog.expire_leases(later)
        Endpoint.objects.update(sender="", sender_until=None)
        Delivery.objects.waiting().update(next_try_at=timezone.now())
        outbox.deliver()
        if not left and not Delivery.objects.waiting().exists():
            break
    return {}


def check(order: dict[str, Any]) -> list[list[Any]]:
    """Return each invariant as [name, figure, violations]."""
    outward = Event.objects.filter(outward=True).count()
    rows: list[tuple[str, str, list[str]]] = [
        ("acknowledged = stored", f"{len(order['notes'])} outcomes", unstored(order)),
        ("counters = items", f"{Phase.objects.count()} phases, {Item.objects.count()} items", miscounted()),
        ("one completed event per run", f"{completed_runs().count()} runs", miscompleted()),
        *((f"order per job at {name}", f"{len(ids)} messages", disordered(ids)) for name, ids in order["got"].items()),
        *((f"delivered to {name}", f"{outward} events", undelivered(ids)) for name, ids in order["got"].items()),
        ("nothing left behind", f"{BulkAct.objects.count()} bulk acts", leftovers()),
    ]
    return [[name, figure, violations[:SHOWN]] for name, figure, violations in rows]


def unstored(order: dict[str, Any]) -> list[str]:
    """Name each outcome that a client has taken, and that is neither stored nor refused nor behind a later attempt."""
    refused = {(job, key) for job, key, _ in order["refused"]}
    stored = {
        (job, key): (attempt, status, checksum)
        for job, key, attempt, status, checksum in Item.objects.values_list(
            "phase__job_id", "key", "attempt", "status", "checksum"
        ).filter(phase__code="items")
    }
    lost = []
    for note in order["notes"]:
        place = note["job"], note["key"]
        attempt, status, checksum = stored[place]
        same = status == note["status"] and checksum == (note["checksum"] if status == "completed" else "")
        if attempt < note["attempt"] or (attempt == note["attempt"] and not same and place not in refused):
            lost.append(f"{note} is {status} at attempt {attempt} with checksum {checksum!r}")
    return lost


def miscounted() -> list[str]:
    """Name each counter that does not equal the items."""
    return [f"{each.job} {each.phase} {each.counter}: {each.stored} != {each.items}" for each in watchdog.recount()]


def completed_runs() -> Any:
    """Return the completed events by phase and run."""
    done = Event.objects.filter(outward=True, phase__isnull=False, type__endswith=".completed")
    return done.values("phase", "run").annotate(n=Count("pk"))


def miscompleted() -> list[str]:
    """Name each run with two completed events, and each completed phase without one."""
    runs = {(row["phase"], row["run"]): row["n"] for row in completed_runs()}
    twice = [f"phase {phase} run {run}: {number} events" for (phase, run), number in runs.items() if number > 1]
    done = Phase.objects.filter(status="completed").values_list("pk", "run")
    return twice + [
        f"phase {phase} run {run}: completed without event" for phase, run in done if (phase, run) not in runs
    ]


def disordered(ids: list[str]) -> list[str]:
    """Name each job whose events arrived first in another order than they happened."""
    places = {str(event_id): (pk, job) for pk, job, event_id in Event.objects.values_list("pk", "job_id", "event_id")}
    last: dict[int, int] = defaultdict(int)
    wrong = []
    for event_id in dict.fromkeys(ids):
        place, job = places.get(event_id, (0, 0))
        if place < last[job] or not place:
            wrong.append(f"job {job}: event {place} ({event_id}) after {last[job]}")
        last[job] = max(last[job], place)
    return wrong


def undelivered(ids: list[str]) -> list[str]:
    """Name each outward event that the endpoint has not accepted."""
    got = set(ids)
    sent = Event.objects.filter(outward=True).values_list("event_id", "type")
    return [f"{kind} {event_id} never arrived" for event_id, kind in sent if str(event_id) not in got]


def leftovers() -> list[str]:
    """Name what should be over: leases, marks of large acts, deliveries, senders, running bulk acts."""
    found = {
        "items are held": Item.objects.held().count(),
        "phases are moving": Phase.objects.exclude(moving="").count(),
        "deliveries wait": Delivery.objects.waiting().count(),
        "deliveries are dead": Delivery.objects.filter(status="dead").count(),
        "bulk acts run": BulkAct.objects.running().count(),
        "bulk acts have failed": BulkAct.objects.filter(refused__gt=0).count(),
        "large items are between two runs": Phase.objects.filter(code="large")
        .filter(~Q(done=0) & ~Q(done=F("items_total")))
        .count(),
    }
    return [f"{number} {what}" for what, number in found.items() if number]


def checkpoint(order: dict[str, Any]) -> dict[str, Any]:
    """Checkpoint the log of SQLite without waiting; return the pages in it and those written back."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        _, pages, written = cursor.fetchone()
    return {"pages": pages, "written": written}


STEPS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "fill": fill,
    "settle": settle,
    "check": check,
    "checkpoint": checkpoint,
}

if __name__ == "__main__":
    given = json.loads(Path(sys.argv[2]).read_text())
    json.dump(STEPS[sys.argv[1]](given), sys.stdout)
