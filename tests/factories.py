"""Jobs in the state that a test needs, made by the same calls that workers make."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from django.contrib.auth.models import Permission, User

from jobs import operations, tracking
from jobs.models import Item, Job, Membership, Phase
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall, Trigger
from jobs.tracking import Actor, NewItem, Result

WORKER = Actor(name="w1")
_numbers = count(1)


def keys(number: int, *, start: int = 0) -> list[str]:
    """Return `number` item keys: k0, k1, …"""
    return [f"k{n}" for n in range(start, start + number)]


def new_items(number: int, *, start: int = 0) -> list[NewItem]:
    """Return `number` items to add."""
    return [NewItem(key) for key in keys(number, start=start)]


def make_job(
    *,
    name: str = "",
    items: int | None = None,
    done: int = 0,
    failed: int = 0,
    skipped: int = 0,
    threshold: int = 100,
    trigger: str = "when_settled",
    on_shortfall: str = "partial",
    expected: int | None = None,
    **fields: Any,
) -> Job:
    """Make a generic job of one phase `items`, with that many items listed and settled."""
    spec = PhaseSpec(
        code="items",
        stage="Processing {done}/{expected}",
        threshold=threshold,
        trigger=Trigger(trigger),
        on_shortfall=Shortfall(on_shortfall),
        expected=expected,
    )
    listed = None if items is None else new_items(items)
    phases = fields.pop("phases", [spec])
    name = name or f"job-{next(_numbers)}"
    job = tracking.create_job(name=name, phases=phases, items=listed, by=WORKER, **fields).job
    statuses = ["completed"] * done + ["failed"] * failed + ["skipped"] * skipped
    if statuses:
        settle(phase_of(job), statuses)
    job.refresh_from_db()
    return job


def phase_of(job: Job, code: str = "") -> Phase:
    """Return the phase of this code, or the first one, fresh from the database."""
    phases = Phase.objects.select_related("job").filter(job=job)
    return phases.get(code=code) if code else phases.order_by("position")[0]


def settle(phase: Phase, statuses: Sequence[str], *, start: int = 0) -> tracking.Reported:
    """Report these statuses for the items k0, k1, … in one call."""
    results = [Result(f"k{n}", status) for n, status in enumerate(statuses, start)]
    return tracking.report(phase, worker="w1", results=results, by=WORKER)


def complete(phase: Phase, number: int, *, start: int = 0) -> tracking.Reported:
    """Report `number` items as completed, from the one with this number on."""
    return settle(phase, ["completed"] * number, start=start)


def item_of(job: Job, key: str) -> Item:
    """Return the item of this key, fresh from the database."""
    return Item.objects.get(phase__job=job, key=key)


def outward(job: Job, type: str = "") -> list[dict[str, Any]]:
    """Return the data of the outward events of a job, oldest first."""
    events = job.events.filter(outward=True).order_by("pk")
    return [event.data for event in (events.filter(type=type) if type else events)]


def pipeline(*phases: PhaseSpec, **fields: Any) -> Job:
    """Make a job of these phases (generic unless `kind` says otherwise)."""
    return tracking.create_job(name=f"job-{next(_numbers)}", phases=phases, by=WORKER, **fields).job


def listed(job: Job, number: int, *, code: str = "", start: int = 0, reopen: bool = False) -> Phase:
    """Add that many items to a phase and return it."""
    tracking.add_items(phase_of(job, code), items=new_items(number, start=start), reopen=reopen, by=WORKER)
    return phase_of(job, code)


def take(phase: Phase, number: int = 100, *, worker: str = "w1", seconds: int | None = None) -> list[Any]:
    """Claim up to that many items for a worker."""
    return tracking.claim(phase, worker=worker, limit=number, lease_seconds=seconds, by=Actor(name=worker)).items


def tell(phase: Phase, key: str, status: str, *, worker: str = "w1", **fields: Any) -> tracking.ResultOutcome:
    """Report one result as a worker and return its outcome."""
    result = Result(key, status, **fields)
    [outcome] = tracking.report(phase, worker=worker, results=[result], by=Actor(name=worker)).results
    return outcome


def outcomes(reported: tracking.Reported) -> list[str]:
    """Return the outcomes of a report, in order."""
    return [str(result.outcome) for result in reported.results]


def operator(*verbs: str, projects: Sequence[str] = ()) -> User:
    """Make an account with the permissions of exactly these acts, limited to these projects."""
    user = User.objects.create(username=f"operator-{next(_numbers)}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{verb}_job" for verb in verbs]))
    Membership.objects.bulk_create([Membership(user=user, project=project) for project in projects])
    return user


def types(job: Job, *, outward: bool | None = None) -> list[str]:
    """Return the types of the rows of a job's timeline, oldest first."""
    events = job.events.order_by("pk")
    found = events if outward is None else events.filter(outward=outward)
    return list(found.values_list("type", flat=True))


def announce(job: Job, expected: int, **fields: Any) -> tracking.Announced:
    """Announce the total of the first phase."""
    return tracking.announce(phase_of(job), expected=expected, by=WORKER, **fields)


def working_job() -> Job:
    """Make a job of five items: one completed, one failed, one held, two pending."""
    job = make_job(items=5, done=1)
    settle(phase_of(job), ["failed", "processing"], start=1)
    job.refresh_from_db()
    return job


def job_in(status: str) -> Job:
    """Make a job of three items in this status."""
    if status in ("pending", "completed"):
        return make_job(items=3, done=3 if status == "completed" else 0)
    if status == "failed":
        return make_job(items=3, done=2, failed=1, on_shortfall="fail")
    job = make_job(items=3, done=1)
    if status != "processing":
        (operations.pause if status == "paused" else operations.cancel)(job, actor=None)
        job.refresh_from_db()
    return job


def finished_job(how: str) -> Job:
    """Make a job of two items whose one phase is over: completed, failed, forced or cancelled."""
    if how == "completed":
        return make_job(items=2, done=2)
    if how == "failed":
        return make_job(items=2, done=1, failed=1, on_shortfall="fail")
    job = make_job(items=2, done=1)
    (operations.force_complete if how == "forced" else operations.cancel)(job, actor=None, reason="enough")
    job.refresh_from_db()
    return job
