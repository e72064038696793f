"""Acts on incidents: each needs its permission, is audited, and is refused where it would mean nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User

from jobs import watchdog
from jobs.models import Incident, Membership
from jobs.operations import INCIDENT_ACTS
from jobs.rules.errors import BadInput, NotFound, NotPermitted, WrongState
from tests.factories import make_job
from tests.jobs.incidents.conftest import Clock, Heard, make_failed, make_stuck, report, the_incident

pytestmark = pytest.mark.django_db
acknowledge, assign, snooze, resolve = (INCIDENT_ACTS[name] for name in ("acknowledge", "assign", "snooze", "resolve"))
ARGUMENTS: dict[str, dict[str, Any]] = {
    "acknowledge": {},
    "assign": {"account": ""},
    "snooze": {"until_grows": True},
    "resolve": {"reason": "It is old."},
}


def account(*acts: str, projects: tuple[str, ...] = ()) -> User:
    """Make an account that sees incidents and has the permissions of these acts."""
    user = User.objects.create(username=f"olga-{User.objects.count()}", is_staff=True)
    codes = ["view_incident", *(f"{act}_incident" for act in acts)]
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    Membership.objects.bulk_create([Membership(user=user, project=project) for project in projects])
    return user


def test_operators_have_every_act_and_viewers_none() -> None:
    of_incidents = Permission.objects.filter(codename__endswith="_incident")
    granted = {
        role: set(of_incidents.filter(group__name=role).values_list("codename", flat=True))
        for role in ("viewer", "operator", "lead", "worker")
    }
    acts = {act.codename for act in INCIDENT_ACTS.values()}
    assert granted == {
        "viewer": {"view_incident"},
        "operator": {"view_incident", *acts},
        "lead": {"view_incident", *acts},
        "worker": set(),
    }


@pytest.mark.parametrize("name", INCIDENT_ACTS)
def test_an_act_needs_its_permission(name: str) -> None:
    make_failed()
    others = account(*(other for other in INCIDENT_ACTS if other != name))
    with pytest.raises(NotPermitted, match=f"jobs.{name}_incident"):
        INCIDENT_ACTS[name](the_incident(), actor=others, **ARGUMENTS[name])
    assert the_incident().state == "open"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("name", INCIDENT_ACTS)
def test_an_act_finds_no_incident_of_another_project_and_none_of_the_site(name: str) -> None:
    make_failed(project="beta")
    make_failed(project="")
    for incident in Incident.objects.all():
        with pytest.raises(NotFound):
            INCIDENT_ACTS[name](incident, actor=account(name, projects=("alpha",)), **ARGUMENTS[name])
    own = account(name, projects=("beta",))
    arguments = {"account": own.username} if name == "assign" else ARGUMENTS[name]
    assert INCIDENT_ACTS[name](Incident.objects.get(project="beta"), actor=own, **arguments).changed == 1


@pytest.mark.parametrize("name", INCIDENT_ACTS)
def test_an_act_is_in_the_history_and_in_the_audit_log(name: str) -> None:
    make_failed()
    actor = account(name)
    arguments = {"account": actor.username} if name == "assign" else ARGUMENTS[name]
    detail = INCIDENT_ACTS[name](the_incident(), actor=actor, **arguments).detail
    entry = the_incident().entries.order_by("-pk")[0]
    assert (entry.act, entry.account, entry.actor, entry.detail) == (name, actor, actor.username, detail)
    logged = LogEntry.objects.get()
    assert (logged.user, logged.object_id) == (actor, str(the_incident().pk))
    assert logged.change_message == f"{name}: {detail}"


@pytest.mark.parametrize("name", INCIDENT_ACTS)
def test_an_act_on_a_resolved_incident_is_refused(name: str) -> None:
    make_failed()
    resolve(the_incident(), actor=None, reason="It is old.")
    with pytest.raises(WrongState, match="is resolved"):
        INCIDENT_ACTS[name](the_incident(), actor=None, **ARGUMENTS[name])


def test_acknowledging_names_the_account_once_and_further_notes_are_kept(heard: Heard) -> None:
    make_failed()
    olga = account("acknowledge")
    assert acknowledge(the_incident(), actor=olga, note="On it.").changed == 1
    assert acknowledge(the_incident(), actor=olga).changed == 0
    assert acknowledge(the_incident(), actor=olga, note="Disk ordered.").changed == 1
    incident = the_incident()
    assert (incident.state, incident.acknowledged_by, incident.revision) == ("acknowledged", olga, 2)
    assert [notice for _, notice in heard] == ["opened", "acknowledged"]
    assert [entry.detail for entry in incident.entries.filter(act="acknowledge")] == ["Disk ordered.", "On it."]


def test_an_acknowledged_incident_ends_with_its_cause(clock: Clock) -> None:
    [job] = make_stuck(clock)
    acknowledge(the_incident(), actor=None)
    report(job)
    assert the_incident().state == "resolved"


def test_an_incident_is_assigned_to_an_account_that_sees_it() -> None:
    make_failed(project="alpha")
    incident, own = the_incident(), account(projects=("alpha",))
    assign(incident, actor=None, account=own.username)
    assert the_incident().assignee == own
    assert assign(incident, actor=None, account=own.username).changed == 0
    for name in ("unknown", account(projects=("beta",)).username, User.objects.create(username="plain").username):
        with pytest.raises(BadInput, match="account"):
            assign(incident, actor=None, account=name)
    assign(incident, actor=None, account="")
    assert the_incident().assignee is None


def test_a_snoozed_incident_opens_again_at_its_time(clock: Clock, heard: Heard) -> None:
    make_failed()
    snooze(the_incident(), actor=None, until=clock.now + timedelta(hours=1))
    assert the_incident().state == "snoozed"
    clock.forward(3599)
    watchdog.sweep()
    assert the_incident().state == "snoozed"
    clock.forward(1)
    watchdog.sweep()
    incident = the_incident()
    assert (incident.state, incident.snoozed_until, incident.revision) == ("open", None, 2)
    assert heard[-1] == (incident.pk, "reopened")


def test_an_incident_that_is_snoozed_until_it_grows_opens_when_it_does(clock: Clock) -> None:
    make_failed()
    snooze(the_incident(), actor=None, until_grows=True)
    watchdog.sweep()
    assert the_incident().state == "snoozed"
    make_failed()
    watchdog.sweep()
    assert (the_incident().state, the_incident().subjects) == ("open", 2)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"until": "tomorrow"}, {"until": timedelta(hours=-1)}, {"until": timedelta(days=366)}],
)
def test_a_snooze_needs_a_time_within_a_year(clock: Clock, arguments: dict[str, Any]) -> None:
    make_failed()
    if isinstance(arguments.get("until"), timedelta):
        arguments = {"until": clock.now + arguments["until"]}
    with pytest.raises(BadInput):
        snooze(the_incident(), actor=None, **arguments)
    assert the_incident().state == "open"


def test_a_resolved_failure_does_not_come_back_by_itself(clock: Clock, heard: Heard) -> None:
    job = make_failed()
    resolve(the_incident(), actor=None, reason="Withdrawn.")
    clock.forward(60)
    watchdog.reconcile()
    incident = the_incident()
    assert (incident.state, incident.ended_by) == ("resolved", "system")
    assert [notice for _, notice in heard] == ["opened", "ended"]
    job.refresh_from_db()
    assert job.status == "failed"


def test_what_ends_by_itself_cannot_be_resolved(clock: Clock) -> None:
    make_stuck(clock)
    with pytest.raises(WrongState, match="ends by itself when its jobs make progress"):
        resolve(the_incident(), actor=None, reason="I do not care.")
    assert the_incident().state == "open"


def test_resolving_needs_a_reason() -> None:
    make_failed()
    with pytest.raises(BadInput, match="reason"):
        resolve(the_incident(), actor=None, reason=" ")


def test_an_act_on_many_goes_on_after_a_refusal(clock: Clock) -> None:
    make_stuck(clock)
    make_failed()
    make_job()
    acted = resolve.on_many(Incident.objects.order_by("pk"), actor=None, reason="It is old.")
    assert (acted.changed, len(acted.refused)) == (1, 1)
