"""Creation of a bulk act: the confirmed act, and each job with the state that the operator saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from jobs import operations
from jobs.change import Actor
from jobs.change.audit import record_activity
from jobs.models import BulkAct, BulkTarget, Job
from jobs.models.texts import fit
from jobs.operations.arguments import Scope
from jobs.operations.bulk.execute import ActRequest
from jobs.operations.registry import ACTS
from jobs.rules.formatting import pluralize

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class TargetSelection:
    """One selected job: a digest of the state that was shown, and the selected items (none: the whole job)."""

    job: Job
    states: str
    items: tuple[int, ...] = ()


def create_bulk_act(
    request: ActRequest, selections: Sequence[TargetSelection], *, actor: User, words: str = "", back: str = ""
) -> BulkAct:
    """Store the act with its targets; the runner executes it. NotPermitted without the permission of the act.

    `words` describe the selection; `back` is the address of the list that the jobs were selected in.
    """
    operations.require_permission(actor, request.act.verb)
    with transaction.atomic():
        bulk = BulkAct.objects.create(
            account=actor,
            actor=actor.get_username(),
            act=request.act.name,
            scope=request.scope.stored(),
            chosen=fit(BulkAct, "chosen", words),
            reason=request.reason,
            back=back,
            total=len(selections),
            created_at=timezone.now(),
        )
        BulkTarget.objects.bulk_create(_target(bulk, selection) for selection in selections)
        record_activity(
            request.act.name,
            by=Actor(account=actor),
            target=bulk,
            label=pluralize(bulk.total, "job"),
            detail=bulk.chosen,
            reason=request.reason,
        )
    return bulk


def _target(bulk: BulkAct, selection: TargetSelection) -> BulkTarget:
    return BulkTarget(
        bulk=bulk,
        job_id=selection.job.pk,
        name=selection.job.name,
        states=selection.states,
        items=list(selection.items) or None,
        was=selection.job.status,
    )


def request_of(bulk: BulkAct, target: BulkTarget) -> ActRequest:
    """Return the confirmed act for one target."""
    stored = {**bulk.scope, "extra": tuple(bulk.scope.get("extra", {}).items())}
    return ActRequest(ACTS[bulk.act], Scope(**stored, items=tuple(target.items or ())), bulk.reason)
