"""Writing down what was confirmed: the act, and each job with what was seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from jobs import operations
from jobs.models import BulkAct, BulkTarget, Job
from jobs.models.texts import fit
from jobs.operations.arguments import Scope
from jobs.operations.bulk.execute import ActRequest
from jobs.operations.registry import ACTS

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class TargetSelection:
    """One job of the set: its states as they were shown, and the chosen items; without any the job as a whole."""

    job: Job
    states: str
    items: tuple[int, ...] = ()


def create_bulk_act(
    order: ActRequest, marks: Sequence[TargetSelection], *, actor: User, words: str = "", back: str = ""
) -> BulkAct:
    """Store the act with its targets; nothing is done yet. NotPermitted where the account may not do such acts."""
    operations.require_permission(actor, order.act.verb)
    with transaction.atomic():
        bulk = BulkAct.objects.create(
            account=actor,
            actor=actor.get_username(),
            act=order.act.name,
            scope=scope_body(order.scope),
            chosen=fit(BulkAct, "chosen", words),
            reason=order.reason,
            back=back,
            total=len(marks),
            created_at=timezone.now(),
        )
        BulkTarget.objects.bulk_create(_target(bulk, mark) for mark in marks)
    return bulk


def _target(bulk: BulkAct, mark: TargetSelection) -> BulkTarget:
    return BulkTarget(
        bulk=bulk,
        job_id=mark.job.pk,
        name=mark.job.name,
        states=mark.states,
        items=list(mark.items) or None,
        was=mark.job.status,
    )


def scope_body(scope: Scope) -> dict[str, Any]:
    """What is kept of a scope: everything but the items, which each job has of its own."""
    named = ("phase", "signature", "all", "only", "threshold")
    extra = {"extra": dict(scope.extra)} if scope.extra else {}
    return {name: getattr(scope, name) for name in named} | extra


def order_of(bulk: BulkAct, target: BulkTarget) -> ActRequest:
    """What was confirmed, for this job."""
    kept = {**bulk.scope, "extra": tuple(bulk.scope.get("extra", {}).items())}
    return ActRequest(ACTS[bulk.act], Scope(**kept, items=tuple(target.items or ())), bulk.reason)
