"""Operator acts: the base class, the transaction around an act, its result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from jobs.change import Actor, Change, change_jobs
from jobs.models import Job, Phase
from jobs.models.jobs import projects_of
from jobs.operations.arguments import ActInput, Scope, argument_fields
from jobs.rules.errors import BadInput, Conflict, NotFound, NotPermitted, WrongState
from jobs.rules.formatting import pluralize
from jobs.rules.limits import REASON_LENGTH
from jobs.rules.statuses import ItemStatus, JobStatus

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.operations.estimate import EstimateQuery
    from jobs.operations.snapshot import JobSnapshot

    # An account, an actor with a name of its own, or None for the system, which needs no permission.
    By = User | Actor | None

Lines = list[tuple[str, list[str]]]
UNFINISHED = (JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.PAUSED)
NOT_CANCELLED = (*UNFINISHED, JobStatus.FAILED, JobStatus.COMPLETED)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One item or row that the act did not change, and why."""

    id: int
    detail: str


@dataclass(frozen=True, slots=True)
class Act:
    """The result of an act: how much it changed, the rows that it refused, and a sentence for the operator."""

    changed: int
    job: Job
    detail: str = ""
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ButtonText:
    """The label of a button, the effect it would have now, and why it is disabled (empty: enabled)."""

    label: str
    effect: str = ""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The body of a confirmation page: lines of (heading, sentences), and how much would change.

    `why_not` says why the act is impossible; it is empty where it is possible.
    """

    lines: Lines
    changes: int
    why_not: str = ""


class Operation(ABC):
    """One act of operators on a job.

    Declare the act here once. REST, OpenAPI, admin actions, buttons, confirmation pages, bulk acts and
    the command line read this class through `jobs.operations.registry`.

    name            path of the REST call, subcommand, slug of the page: `force-complete`
    label, past     verb and participle for people: `Force-complete`, `force-completed`
    summary         one line for OpenAPI; `help` the same for the command line
    call            name of the method in generated clients: `retryItems`; by default `forceCompleteJob`
    states          the job's statuses in which the act is legal
    grave           the page asks for a reason, and confirms again when anything has changed since
    reason_required REST and the command line ask for a reason too
    ends_job        the act finishes the job; its button is marked as dangerous
    counts          what `Act.changed` counts: `item`, `phase` or `job`
    Arguments       the body of the REST call; its fields are the options of the command
    example         an example of that body
    form_fields     arguments that the confirmation page asks for
    query_fields    texts that a link to the confirmation page names
    item_label      button for selected items; empty where the act is not about single items
    item_effect     what the act does to one item, for the item's page
    item_states     the statuses of items that the act can change
    on_whole_job    offered for a job as a whole
    nothing         why the act would change nothing
    removes_job     the job is gone afterwards; REST runs the act by DELETE of the job
    type_name       the operator types the job's name to confirm; `type_count` the number of jobs of a bulk act
    """

    # An act is callable, and a template would call it where it reads one of its attributes.
    do_not_call_in_templates: ClassVar[bool] = True

    name: ClassVar[str]
    label: ClassVar[str]
    past: ClassVar[str]
    summary: ClassVar[str]
    help: ClassVar[str]
    call: ClassVar[str] = ""
    states: ClassVar[tuple[JobStatus, ...]] = tuple(JobStatus)
    grave: ClassVar[bool] = False
    reason_required: ClassVar[bool] = False
    ends_job: ClassVar[bool] = False
    removes_job: ClassVar[bool] = False
    counts: ClassVar[str] = "job"
    Arguments: ClassVar[type[ActInput]] = ActInput
    example: ClassVar[dict[str, Any]] = {"reason": "Storage is back."}
    form_fields: ClassVar[tuple[str, ...]] = ()
    query_fields: ClassVar[tuple[str, ...]] = ()
    item_label: ClassVar[str] = ""
    item_effect: ClassVar[str] = ""
    item_states: ClassVar[tuple[ItemStatus, ...]] = tuple(ItemStatus)
    on_whole_job: ClassVar[bool] = True
    nothing: ClassVar[str] = ""
    type_name: ClassVar[bool] = False
    type_count: ClassVar[bool] = False

    @property
    def verb(self) -> str:
        """The name in permissions, timeline and audit log."""
        return self.name.replace("-", "_")

    @property
    def operation_id(self) -> str:
        """The name of the call in the OpenAPI document."""
        first, *rest = self.name.split("-")
        return self.call or f"{first}{''.join(map(str.capitalize, rest))}Job"

    @property
    def codename(self) -> str:
        """The permission that the act needs, without its app."""
        return f"{self.verb}_job"

    @property
    def permission(self) -> str:
        """The permission that the act needs."""
        return f"jobs.{self.codename}"

    @property
    def fields(self) -> tuple[msgspec.inspect.Field, ...]:
        """The arguments with their types and bounds, for forms and the command line."""
        return argument_fields(self.Arguments)

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the arguments that every call gives."""
        return tuple(each.name for each in self.fields if each.required)

    # --- execution -----------------------------------------------------------------------------------

    def __call__(self, job: Job, *, actor: By, reason: str = "", revision: int | None = None, **arguments: Any) -> Act:
        """Check permission, arguments and state, then change the job in one transaction.

        Raise NotPermitted, NotFound, BadInput or WrongState. With a `revision`, raise Conflict if the job has
        changed since.
        """
        required = self.reason_required
        with acting(job, self.verb, actor=actor, reason=reason, revision=revision, reason_required=required) as change:
            parsed = self.parse(arguments)
            if unchanged := self.unchanged(change, parsed):
                return Act(0, change.job, unchanged)
            require_status(change, self)
            return self.execute(change, parsed)

    def parse(self, arguments: dict[str, Any]) -> Any:
        """Return the arguments as this act's type; BadInput names the field that does not fit."""
        if arguments.get("items") is not None:
            arguments["items"] = list(arguments["items"])
        try:
            return msgspec.convert(arguments, self.Arguments, from_attributes=False, strict=True)
        except msgspec.ValidationError as error:
            sentence, _, path = str(error).partition(" - at `$.")
            field_name = path.rstrip("`").partition("[")[0]
            raise BadInput({field_name or "arguments": f"{sentence}."}) from None

    def arguments_of(self, scope: Scope) -> dict[str, Any]:
        """Return the arguments of this act that a scope gives."""
        values = scope.values()
        names = [name for name in self.Arguments.__struct_fields__ if name in values]
        return {name: values[name] for name in names if values[name] is not None or name in self.required}

    def unchanged(self, change: Change, arguments: Any) -> str:
        """Say that the job is in the wanted state already, so that the act changes nothing; else return ""."""
        return ""

    @abstractmethod
    def execute(self, change: Change, arguments: Any) -> Act:
        """Change the locked job."""

    # --- presentation --------------------------------------------------------------------------------

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the current numbers."""
        return ButtonText(f"{self.label}…")

    @abstractmethod
    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Describe the effect that the act would have now."""

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count the changes that the act would make in each job, in their order, in a constant number of queries."""
        return [1] * len(query.snapshots)

    def item_refusal(self, snapshot: JobSnapshot, item: Any) -> str:
        """Say why the state of one item forbids the act; empty where it allows it."""
        return ""

    def choosable_phases(self, snapshot: JobSnapshot) -> list[Phase]:
        """Return the phases that the confirmation page offers for selection."""
        return snapshot.phases

    def outcome_text(self, act: Act) -> str:
        """Say how much was changed, without what was refused: `12 retried`."""
        return act.detail.rstrip(".")

    def confirm_label(self, changes: int) -> str:
        """Return the label of the confirming button."""
        return f"{self.label} {pluralize(changes, 'item')}" if self.counts == "item" else f"{self.label} job"

    def bulk_outcome_text(self, changed: int, jobs: str) -> str:
        """Say how much was changed in many jobs: `12 items retried in 3 jobs`."""
        return f"{pluralize(changed, 'item')} {self.past} in {jobs}" if self.counts == "item" else f"{jobs} {self.past}"


# --- checks and helpers --------------------------------------------------------------------------------


def require_permission(actor: User | None, verb: str, *, permission: str = "") -> None:
    """Refuse an account without the act's permission. The system (None) needs none."""
    permission = f"jobs.{permission or f'{verb}_job'}"
    if actor is not None and not actor.has_perm(permission):
        raise NotPermitted(f"{verb.replace('_', '-').capitalize()} needs the permission {permission}.")


@contextmanager
def acting(
    job: Job,
    verb: str,
    *,
    actor: By,
    reason: str,
    revision: int | None,
    reason_required: bool = False,
    permission: str = "",
) -> Iterator[Change]:
    """Open the transaction of one act: permission, reason, projects, then the lock and the revision."""
    by = actor if isinstance(actor, Actor) else Actor(account=actor)
    require_permission(by.account, verb, permission=permission)
    _check_reason(reason, required=reason_required)
    projects = projects_of(by.account) if by.account else None
    if projects is not None and job.project not in projects:
        raise NotFound(f"There is no job {job.pk}.")
    with change_jobs([job.pk], by=by, reason=reason) as change:
        if revision is not None and change.job.revision != revision:
            raise Conflict(
                f"Job {job.name} has changed (revision {revision}, now {change.job.revision}); look again and confirm.",
                code="changed",
            )
        yield change


def _check_reason(reason: str, *, required: bool) -> None:
    if required and not reason.strip():
        raise BadInput({"reason": "Enter a reason. It is kept in the timeline."})
    if len(reason) > REASON_LENGTH:
        raise BadInput({"reason": f"Enter at most {REASON_LENGTH} characters."})


def legal_states(act: Operation) -> str:
    """Name the states of an act in words: `pending, processing or paused`."""
    *most, last = act.states
    return f"{', '.join(most)} or {last}" if most else str(last)


def require_status(change: Change, act: Operation) -> None:
    """Refuse unless the job is in a state in which the act is legal; the sentence names both."""
    if change.job.status not in act.states:
        job, hint = change.job, ""
        if job.status == JobStatus.CANCELLED and act.states == NOT_CANCELLED:
            hint = " A restart of a phase opens it again."
        raise WrongState(
            f"Job {job.name} is {job.status}; {act.name} is possible while it is {legal_states(act)}.{hint}"
        )


def chosen_phases(change: Change, code: str) -> list[Phase]:
    """Return the phase of this code, or every phase where none is given."""
    return [change.phase_by_code(code)] if code else change.phases[change.job.pk]


def refusals(requested: Sequence[int], *, accepted: Sequence[int], reasons: dict[int, str]) -> list[Refusal]:
    """Return a refusal for each requested item that is not accepted, with its reason."""
    fit = set(accepted)
    unknown = "There is no such item in this job."
    return [Refusal(pk, reasons.get(pk, unknown)) for pk in dict.fromkeys(requested) if pk not in fit]
