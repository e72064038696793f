"""Sixty workers: some alive, some silent, some gone, and two of the gone ones that hold items."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from benchmarks.console.many import WORKERS
from jobs.db import bulk_sql
from jobs.models import Job, Worker

ALIVE, SILENT = 32, 5
FIELDS = ("name", "owner", "account", "seen_at", "job", "project", "version", "message")


def make_workers() -> None:
    """Create the workers, all of them gone."""
    account = User.objects.get(username="worker").pk
    job = Job.objects.filter(status="processing").order_by("-pk").first()
    long_ago = timezone.now() - timedelta(hours=2)
    rows = [
        (name, account, account, long_ago - timedelta(minutes=n), job and job.pk, job.project if job else "",
         f"2.{n % 4}.0", "Loading the model 🚀" if n % 9 == 0 else "")
        for n in range(WORKERS)
        for name in [f"gpu-{n:02}"]
    ]  # fmt: skip
    bulk_sql.insert(Worker, rows, fields=FIELDS, conflict=("name", "owner"))


def awake() -> None:
    """Give the living workers a sign of life of now, and the silent ones one of two minutes ago."""
    now = timezone.now()
    names = [f"gpu-{n:02}" for n in range(WORKERS)]
    Worker.objects.filter(name__in=names[:ALIVE]).update(seen_at=now)
    Worker.objects.filter(name__in=names[ALIVE : ALIVE + SILENT]).update(seen_at=now - timedelta(minutes=2))
    running = Job.objects.filter(status="processing", stuck="").exclude(silent_limit=None)
    running.update(heartbeat_at=now, progress_at=now)
