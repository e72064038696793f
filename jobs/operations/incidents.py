"""Acts on incidents: acknowledge, assign, snooze, resolve. Each is one class; REST, pages and commands read `ACTS`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from msgspec import Meta, Struct

from jobs import incidents
from jobs.change import Actor
from jobs.change.audit import log_act
from jobs.incidents.deliveries import repeatedly_failing
from jobs.incidents.notices import changed
from jobs.models import Incident
from jobs.models.incidents import INCIDENT_PERMISSIONS
from jobs.models.jobs import projects_of
from jobs.operations.base import Refusal
from jobs.rules.errors import BadInput, NotFound, NotPermitted, Refused, WrongState
from jobs.rules.field_types import Moment, Sentence
from jobs.rules.formatting import format_datetime, pluralize
from jobs.rules.incidents import IncidentKind, IncidentState, Notice
from jobs.rules.limits import ACCOUNT_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.operations.base import By

LONGEST_SNOOZE = timedelta(days=365)
MEANING = dict(INCIDENT_PERMISSIONS)


class IncidentInput(Struct, forbid_unknown_fields=True, frozen=True, gc=False, kw_only=True):
    """The base of the arguments of acts on incidents."""


class AcknowledgeInput(IncidentInput, kw_only=True, frozen=True):
    """A note for other operators, such as the place of the work."""

    note: Sentence = ""


class AssignInput(IncidentInput, kw_only=True, frozen=True):
    """The user name of the account; empty: no account."""

    account: Annotated[str, Meta(max_length=ACCOUNT_LENGTH)]


class SnoozeInput(IncidentInput, kw_only=True, frozen=True):
    """The time until which the incident is quiet, or `until_grows`: until it has more subjects than now; or both."""

    until: Moment | None = None
    until_grows: bool = False


class ResolveInput(IncidentInput, kw_only=True, frozen=True):
    """The reason why the incident is over."""

    reason: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]


@dataclass(frozen=True, slots=True)
class IncidentAct:
    """The result of an act: 1 or 0, the incident as it is now, and a sentence for the operator."""

    changed: int
    incident: Incident
    detail: str


@dataclass(slots=True)
class ManyActed:
    """The result of an act on many incidents: the number of changed ones, and the refusals."""

    changed: int = 0
    refused: list[Refusal] = field(default_factory=list)


class IncidentOperation(ABC):
    """One act of operators on an incident.

    name, label, past   path of the REST call and of the page, verb and participle for people
    Arguments           the body of the REST call; its fields are the options of the command
    example             an example of that body
    """

    do_not_call_in_templates: ClassVar[bool] = True

    name: ClassVar[str]
    label: ClassVar[str]
    past: ClassVar[str]
    summary: ClassVar[str]
    Arguments: ClassVar[type[IncidentInput]]
    example: ClassVar[dict[str, Any]]

    @property
    def codename(self) -> str:
        """The permission that the act needs, without its app."""
        return f"{self.name}_incident"

    @property
    def permission(self) -> str:
        """The permission that the act needs."""
        return f"jobs.{self.codename}"

    def __call__(self, incident: Incident, *, actor: By, **arguments: Any) -> IncidentAct:
        """Check permission, project, arguments and state, then change the incident in one transaction.

        Raise NotPermitted, NotFound, BadInput or WrongState.
        """
        by = actor if isinstance(actor, Actor) else Actor(account=actor)
        self.require(by.account)
        parsed = self.parse(arguments)
        with transaction.atomic():
            locked = _locked(incident, by.account)
            now = timezone.now()
            if locked.is_over:
                raise WrongState(f"Incident {locked.pk} is resolved; {self.name} is possible while it is not over.")
            detail = self.execute(locked, parsed, by=by, now=now)
            if detail:
                log_act(locked, f"{self.name}: {detail}", account=by.account, act=self.name, detail=detail)
            return IncidentAct(int(bool(detail)), locked, detail or f"Incident {locked.pk} is so already.")

    def on_many(self, found: Iterable[Incident], *, actor: By, **arguments: Any) -> ManyActed:
        """Act on each of these incidents in a transaction of its own; a refusal does not stop the other incidents."""
        acted = ManyActed()
        for incident in found:
            try:
                acted.changed += self(incident, actor=actor, **arguments).changed
            except (NotPermitted, BadInput):
                raise
            except Refused as refusal:
                acted.refused.append(Refusal(incident.pk, refusal.detail))
        return acted

    def require(self, account: User | None) -> None:
        """Refuse an account without the permission; the system (None) needs none."""
        if account is not None and not account.has_perm(self.permission):
            raise NotPermitted(f"{self.label} needs the permission {self.permission}.")

    def forbidden(self, user: User | AnonymousUser) -> str:
        """Say which permission the account lacks; empty where it has it."""
        if user.has_perm(self.permission):
            return ""
        return f"Needs the permission “{MEANING[self.codename]}”. Ask an administrator for a role that has it."

    def refusal(self, incident: Incident) -> str:
        """Say why the act is impossible now; empty where it is possible."""
        return ""

    def parse(self, arguments: dict[str, Any]) -> Any:
        """Return the arguments as this act's type; BadInput names the field that does not fit."""
        try:
            return msgspec.convert(arguments, self.Arguments, strict=True)
        except msgspec.ValidationError as error:
            sentence, _, path = str(error).partition(" - at `$.")
            raise BadInput({path.rstrip("`") or "arguments": f"{sentence}."}) from None

    @abstractmethod
    def execute(self, incident: Incident, arguments: Any, *, by: Actor, now: datetime) -> str:
        """Change the locked incident; return a sentence for its history, or "" where nothing changes."""

    def note(self, incident: Incident, detail: str, *, by: Actor, now: datetime) -> str:
        """Write the line of the history, and return it."""
        account = by.account.pk if by.account else None
        incident.entries.create(at=now, account_id=account, actor=by.label, act=self.name, detail=detail)
        return detail


class Acknowledge(IncidentOperation):
    """Say that the incident is being worked on. Reminders stop; it stays in the list until its cause is gone."""

    name, label, past = "acknowledge", "Acknowledge", "acknowledged"
    summary = "Acknowledge an incident"
    Arguments = AcknowledgeInput
    example = {"note": "The storage team is on it."}

    def execute(self, incident: Incident, arguments: AcknowledgeInput, *, by: Actor, now: datetime) -> str:
        """Acknowledge; a further note is only written into the history."""
        note = arguments.note.strip()
        if incident.state == IncidentState.ACKNOWLEDGED:
            return self.note(incident, note, by=by, now=now) if note else ""
        _set(
            incident,
            now=now,
            state=IncidentState.ACKNOWLEDGED,
            acknowledged_by=by.account,
            acknowledged_at=now,
            snoozed_until=None,
            snoozed_at_subjects=None,
            revision=F("revision") + 1,
        )
        changed([incident], Notice.ACKNOWLEDGED)
        return self.note(incident, note or "Acknowledged.", by=by, now=now)


class Assign(IncidentOperation):
    """Name the account that works on the incident."""

    name, label, past = "assign", "Assign", "assigned"
    summary = "Assign an incident to an account"
    Arguments = AssignInput
    example = {"account": "olga"}

    def execute(self, incident: Incident, arguments: AssignInput, *, by: Actor, now: datetime) -> str:
        """Set or clear the account."""
        assignee = _assignee(arguments.account.strip(), incident)
        if incident.assignee_id == (assignee.pk if assignee else None):
            return ""
        _set(incident, now=now, assignee=assignee)
        detail = f"Assigned to {assignee.get_username()}." if assignee else "Assigned to no account."
        return self.note(incident, detail, by=by, now=now)


class Snooze(IncidentOperation):
    """Keep the incident quiet until a time, or until it grows. It opens again then, if its cause still holds."""

    name, label, past = "snooze", "Snooze", "snoozed"
    summary = "Snooze an incident"
    Arguments = SnoozeInput
    example = {"until_grows": True}

    def execute(self, incident: Incident, arguments: SnoozeInput, *, by: Actor, now: datetime) -> str:
        """Snooze; a second snooze replaces the first."""
        until = arguments.until
        if until is None and not arguments.until_grows:
            raise BadInput({"until": "Enter a time, or set until_grows."})
        if until is not None and not now < until <= now + LONGEST_SNOOZE:
            raise BadInput({"until": "Enter a time in the future, within a year."})
        limit = incident.subjects if arguments.until_grows else None
        _set(incident, now=now, state=IncidentState.SNOOZED, snoozed_until=until, snoozed_at_subjects=limit)
        ends = [f"until {format_datetime(until)} UTC"] if until else []
        ends += [f"until it has more than {pluralize(limit, *incident.text.subjects)}"] if limit is not None else []
        return self.note(incident, f"Snoozed {' or '.join(ends)}.", by=by, now=now)


class Resolve(IncidentOperation):
    """End an incident that does not end by itself, such as a failed job that will not be retried."""

    name, label, past = "resolve", "Resolve", "resolved"
    summary = "Resolve an incident"
    Arguments = ResolveInput
    example = {"reason": "The customer has withdrawn the order."}

    def refusal(self, incident: Incident) -> str:
        """Refuse where the cause still holds: the incident would open again at once."""
        if ends_when := incident.text.ends_when:
            return f"Its cause still holds. It ends by itself when {ends_when}; acknowledge or snooze it until then."
        if incident.kind == IncidentKind.ENDPOINT_FAILING and (number := repeatedly_failing(incident.cause)):
            return (
                f"{pluralize(number, 'delivery', 'deliveries')} still fail and will be tried again."
                " Mend or disable the endpoint; acknowledge or snooze the incident until then."
            )
        return ""

    def execute(self, incident: Incident, arguments: ResolveInput, *, by: Actor, now: datetime) -> str:
        """End it; its jobs leave it as they are."""
        if why_not := self.refusal(incident):
            raise WrongState(f"Incident {incident.pk} cannot be resolved. {why_not}")
        incidents.end(incident, by=by.label, now=now)
        return self.note(incident, arguments.reason.strip(), by=by, now=now)


acknowledge, assign, snooze, resolve = Acknowledge(), Assign(), Snooze(), Resolve()
INCIDENT_ACTS: dict[str, IncidentOperation] = {act.name: act for act in (acknowledge, assign, snooze, resolve)}


def _locked(incident: Incident, account: User | None) -> Incident:
    """Lock the incident, also against jobs that join it; NotFound where it is not visible to the account."""
    visible = Incident.objects.all() if account is None else Incident.objects.visible_to(account)
    found = visible.select_for_update().filter(pk=incident.pk).first()
    if found is None:
        raise NotFound(f"There is no incident {incident.pk}.")
    return found


def _set(incident: Incident, *, now: datetime, **values: Any) -> None:
    Incident.objects.filter(pk=incident.pk).update(changed_at=now, **values)
    incident.refresh_from_db()


def _assignee(name: str, incident: Incident) -> User | None:
    """Return the account of this name, which must see the incident."""
    if not name:
        return None
    account: User | None = get_user_model().objects.filter(username=name, is_active=True).first()
    if account is None or not account.has_perm("jobs.view_incident"):
        raise BadInput({"account": "Enter the name of an account that sees incidents."})
    projects = projects_of(account)
    if projects is not None and incident.project not in projects:
        raise BadInput({"account": f"{name} does not see the incidents of this project."})
    return account
