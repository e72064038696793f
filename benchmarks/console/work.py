"""The calls of the worker and the operators of the stories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User

from benchmarks.console.errors import error
from jobs import tracking
from jobs.models import Job, Phase
from jobs.rules.limits import MOST_ITEMS
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import ItemStatus
from jobs.tracking import Actor, Deadlines, Link, NewItem, Result

DAY = 86_400
YEAR = 365 * DAY
ENDLESS = Deadlines(silent_after=YEAR, stalled_after=YEAR)
WORKER = "gpu-01"
TOGETHER = 1000


class Work:
    """Makes jobs, as a worker and as two operators."""

    def __init__(self, accounts: Mapping[str, User], *, size: float) -> None:
        self.olga, self.omar = accounts["olga"], accounts["omar"]
        self.by = Actor(account=accounts["worker"], name=WORKER)
        self.size = size

    def scaled(self, number: int) -> int:
        """Return the number of items of a large story at this size of the site."""
        return max(20, round(number * self.size))

    def job(self, name: str, items: int, *, specs: Sequence[PhaseSpec] = (), kind: str = "generic", **more: Any) -> Job:
        """Create a job with a listed first phase."""
        phases = list(specs) or [PhaseSpec(code="items", label="Pages", **more)]
        listed = [NewItem(f"page-{n:05}.png", split=("train", "valid", "test")[n % 3]) for n in range(items)]
        first, rest = listed[:MOST_ITEMS], listed[MOST_ITEMS:]
        job = tracking.create_job(
            name=name, project="matter-789", kind=kind, phases=phases, items=first, deadlines=ENDLESS, by=self.by
        ).job
        for start in range(0, len(rest), MOST_ITEMS):
            tracking.add_items(self.phase(job), items=rest[start : start + MOST_ITEMS], by=self.by)
        return job

    def phase(self, job: Job, code: str = "") -> Phase:
        """Return a phase as it is stored now, by default the first one."""
        phases = Phase.objects.select_related("job").filter(job=job)
        return phases.get(code=code) if code else phases.order_by("position")[0]

    def work(
        self, job: Job, code: str = "", *, done: int = 0, failed: int = 0, skipped: int = 0, keep: int = 0
    ) -> None:
        """Claim items and settle them; `keep` more stay leased."""
        left = ["failed"] * failed + ["skipped"] * skipped + ["completed"] * done
        while left or keep:
            claimed = tracking.claim(
                self.phase(job, code),
                worker=WORKER,
                limit=min(TOGETHER, len(left) or keep),
                lease_seconds=YEAR,
                by=self.by,
            ).items
            if not left or not claimed:
                return
            some, left = left[: len(claimed)], left[len(claimed) :]
            results = [self._result(item, status) for item, status in zip(claimed, some, strict=True)]
            tracking.report(self.phase(job, code), worker=WORKER, results=results, by=self.by)

    def _result(self, item: tracking.ClaimedItem, status: str) -> Result:
        text = error(item.id) if status == "failed" else ""
        log = f"12:00:01 open {item.key}\n12:00:09 {text}\n" if text else ""
        links = (Link("Trace", "https://traces.example.org/4711"),) if text else ()
        return Result(item.key, ItemStatus(status), item.attempt, error=text, log=log, links=links)


def limit(job: Job, seconds: int | None) -> None:
    """Set how long a job may be silent or stalled; None: the settings."""
    same = dict.fromkeys(("silent_limit", "stalled_limit", "silent_after", "stalled_after"), seconds)
    Job.objects.filter(pk=job.pk).update(**same)
