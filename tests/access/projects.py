"""Two projects with one object of every kind: each text of a project holds the mark of that project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import CharField, JSONField, Model, TextField
from django.utils import timezone
from knox.models import AuthToken

from jobs import inbox, incidents, operations, tracking
from jobs.change.audit import log_act
from jobs.models import (
    Attempt,
    BulkAct,
    BulkTarget,
    Channel,
    Delivery,
    Event,
    Incident,
    Item,
    Job,
    Membership,
    Notification,
    Phase,
    ProjectLimit,
    Quarantine,
    SavedView,
    WallLink,
    Worker,
)
from jobs.operations import bulk
from jobs.operations.arguments import Scope
from jobs.operations.bulk import ActRequest, TargetSelection
from jobs.operations.estimate import snapshots_of
from jobs.operations.registry import ACTS
from jobs.operations.wall_links import digest_of
from jobs.rules.incidents import IncidentKind
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Actor, Link, NewItem, Result
from ocr_chunks.documents import create_document
from progress_site.client_wheel import wheel
from tests.factories import operator, phase_of
from tests.hostile_data import badge_of
from training.models import FaceDetectionSession
from training.sessions import NewImage, create_session

OWN, FOREIGN = "alpha", "beta"
MISSING = 987_654_321
# A word that no page, no field name and no object of the other project has.
MARKS = {OWN: "zqalpha", FOREIGN: "zqbeta"}
# Names that both projects use.
SHARED_WORKER, SHARED_ERROR = "gpu-1", "disk full"


@dataclass(frozen=True)
class Project:
    """The objects of a project: the values of the parameters of addresses, and one row of each model of the admin."""

    name: str
    mark: str
    values: dict[str, Any]
    rows: dict[str, Any]
    error: str


def make_project(name: str) -> Project:
    """Make the objects of a project by the calls of its workers and operators."""
    made = ProjectMaker(name)
    made.make_account()
    made.make_receivers()
    made.make_job()
    made.make_pipelines()
    made.make_delivery()
    made.make_acts()
    made.make_shared()
    return Project(name=name, mark=made.mark, error=made.item.error, values=made.values, rows=made.rows)


class ProjectMaker:
    """Maker of the objects of a project. Each method adds to `values` and `rows`."""

    def __init__(self, name: str) -> None:
        self.name, self.mark, self.now = name, MARKS[name], timezone.now()
        self.values: dict[str, Any] = {
            "pk": 1,
            "project": name,
            "content_type_id": ContentType.objects.get_for_model(Job).pk,
            "secret": "nothing",
            "file": wheel().name,
            "url": "nothing/",
        }
        self.rows: dict[str, Any] = {"auth.group": Group.objects.get(name="viewer").pk}

    def make_account(self) -> None:
        """Make the account of a worker, with its token."""
        mark = self.mark
        self.account = User.objects.create(
            username=f"{mark}-worker", first_name=mark, last_name=mark, email=f"{mark}@example.com", is_staff=False
        )
        self.account.groups.set(Group.objects.filter(name="worker"))
        membership = Membership.objects.create(user=self.account, project=self.name)
        token, _ = AuthToken.objects.create(self.account)
        self.by = Actor(account=self.account, name=f"{mark}-w", version=f"{mark}-1.0")
        self.values |= {"id": self.account.pk, "token": token.digest, "worker": self.by.name}
        self.rows |= {"auth.user": self.account.pk, "jobs.membership": membership.pk, "knox.authtoken": token.pk}

    def make_receivers(self) -> None:
        """Make an endpoint before there is any event, and a channel with a message."""
        endpoint = operations.add_endpoint(
            url=f"https://{self.mark}.example/hook",
            name=self.mark,
            types=["*", f"{self.mark}.*"],
            project=self.name,
            actor=None,
        ).endpoint
        message = make_message(self.name, mark=self.mark, account=self.account)
        rule = message.channel.rules.get()
        self.values |= {"endpoint_id": endpoint.pk, "channel_id": message.channel_id, "rule_id": rule.pk}
        self.rows |= {
            "jobs.endpoint": endpoint.pk,
            "jobs.channel": message.channel_id,
            "jobs.notification": message.pk,
        }

    def make_job(self) -> None:
        """Make a job with items in every status, and a limit of the project."""
        self.job = make_job(self.name, mark=self.mark, by=self.by)
        self.item = Item.objects.filter(phase__job=self.job, status="failed")[0]
        worker = Worker.objects.get(name=self.by.name)
        self.values |= {
            "job_id": self.job.pk,
            "code": "items",
            "item_id": self.item.pk,
            "attempt_id": Attempt.objects.filter(item=self.item).exclude(log="").get().pk,
            "worker_id": worker.pk,
            "signed": badge_of(self.job),
        }
        self.rows |= {
            "jobs.job": self.job.pk,
            "jobs.phase": phase_of(self.job).pk,
            "jobs.item": self.item.pk,
            "jobs.worker": worker.pk,
            "jobs.projectlimit": ProjectLimit.objects.create(project=self.name, max_leased=50).pk,
        }

    def make_pipelines(self) -> None:
        """Make a document and a training session, each with an item that has failed."""
        mark, by = self.mark, self.by
        document = create_document(name=f"{mark}.pdf", page_count=60, project=self.name, by=by).document
        images = [NewImage(f"{mark}/{number}.jpg", hash=mark) for number in range(3)]
        session = create_session(name=f"{mark}-session", images=images, project=self.name, by=by).session
        detection = FaceDetectionSession.objects.create(
            session=session, run=1, created_at=self.now, updated_at=self.now
        )
        for other, code in ((document, "ocr"), (session, "training")):
            phase = Phase.objects.select_related("job").get(job=other.pk, code=code)
            [item] = tracking.claim(phase, worker=by.name, limit=1, by=by).items
            tracking.report(phase, worker=by.name, results=[Result(item.key, "failed", error=mark)], by=by)
        self.values |= {"document_id": document.pk, "session_id": session.pk}
        self.rows |= {
            "ocr_chunks.document": document.pk,
            "ocr_chunks.chunk": document.chunks.order_by("pk")[0].pk,
            "training.trainingsession": session.pk,
            "training.trainingimage": session.images.order_by("pk")[0].pk,
            "training.facedetectionsession": detection.pk,
        }

    def make_delivery(self) -> None:
        """Let the delivery of the newest event die, and refuse a message from the broker."""
        mark = self.mark
        event = Event.objects.filter(job__project=self.name, outward=True).order_by("-pk")[0]
        Delivery.objects.filter(event=event).update(status="dead", error=mark)
        letter = inbox.store_dead_letter(
            {"type": f"{mark}.completed", "data": {mark: mark, "project": self.name}}, reason=mark, source=mark
        )
        delivery = event.deliveries.get()
        self.values |= {"event_id": event.pk, "delivery_id": delivery.pk, "letter_id": letter.pk}
        self.rows |= {"jobs.event": event.pk, "jobs.delivery": delivery.pk, "jobs.inboxmessage": letter.pk}

    def make_acts(self) -> None:
        """Make a bulk act, an incident, and rows of the activity and of the admin's log."""
        act = bulk_act_on(self.job, mark=self.mark, actor=operator("retry", "view", projects=[self.name]))
        incident = make_incident(self.job, mark=self.mark)
        log_act(
            self.job,
            self.mark,
            account=self.account,
            flag=CHANGE,
            reason=self.mark,
            key=str(self.job.pk),
            label=self.mark,
        )
        LogEntry.objects.create(
            user=self.account,
            content_type=ContentType.objects.get_for_model(User),
            object_id=str(self.account.pk),
            object_repr=self.mark,
            action_flag=CHANGE,
            change_message=self.mark,
        )
        self.values |= {"bulk_id": act.pk, "incident_id": incident.pk}
        self.rows |= {"jobs.bulkact": act.pk}

    def make_shared(self) -> None:
        """Make a shared view and a link of the wall, both of an unlimited account.

        Limited accounts do not see them, as the filters of a view may name any project.
        """
        view = SavedView.objects.create(
            account=User.objects.create_superuser(f"{self.name}-saver"),
            list_name="jobs_job",
            name=self.mark,
            query=f"q={self.mark}",
            shared=True,
            created_at=self.now,
        )
        link = WallLink.objects.create(
            label=self.mark,
            digest=digest_of(self.mark),
            view=view,
            created_by=view.account,
            created_at=self.now,
            expires_at=self.now,
        )
        self.values |= {"view_id": view.pk, "link_id": link.pk}


def make_incident(job: Job, *, mark: str) -> Incident:
    """Make an incident that hits this job, and one that an account has resolved."""
    now = timezone.now()
    for number in range(2):
        text = f"{mark} {number}"
        cause = incidents.Cause(IncidentKind.JOB_FAILED, job.project, text, title=text, detail=text, error=text)
        incidents.open_incidents([incidents.Finding(cause, [job.pk])], now=now)
    over, incident = Incident.objects.filter(project=job.project, cause__startswith=mark).order_by("pk")
    incidents.end(over, by=mark, now=now)
    incidents.note(incident, "acknowledge", by=mark, detail=mark, now=now)
    return incident


def make_message(project: str, *, mark: str, account: User) -> Notification:
    """Make a message about no incident to a channel with a rule. Without a mail server a test sends nothing."""
    now = timezone.now()
    channel = Channel.objects.create(
        name=mark,
        project=project,
        kind="mail",
        address=mark,
        masked=mark,
        account=account,
        created_at=now,
        last_result=mark,
        sender=mark,
    )
    operations.add_rule(
        channel, projects=[project], job_kinds=[mark], series=f"{mark}-*", kinds=["job_failed"], actor=None
    )
    Notification.objects.create(
        channel=channel, state="test", subject=mark, next_try_at=now, created_at=now, result=mark, digest=mark
    )
    return channel.messages.get()


def make_job(project: str, *, mark: str, by: Actor) -> Job:
    """Make an unfinished job with items in every status, and a finished one beside it."""
    specs = [PhaseSpec(code="items", asset_type=mark, label=mark, stage=f"{mark} {{done}}"), PhaseSpec(code="fit")]
    items = [NewItem(f"{mark}-{n}", label=mark, split=mark, payload={mark: mark}) for n in range(6)]
    job = tracking.create_job(
        name=f"{mark}-job",
        project=project,
        phases=specs,
        items=items,
        metadata={mark: mark},
        by=by,
    ).job
    phase = phase_of(job)
    claimed = tracking.claim(phase, worker=by.name, limit=3, by=by).items
    results = [
        Result(claimed[0].key, "completed", result={"checksum": mark, mark: mark}),
        Result(
            claimed[1].key,
            "failed",
            error=f"{mark} 1 broke",
            log=mark,
            links=(Link(mark, f"https://{mark}.example/log"),),
        ),
    ]
    tracking.report(phase, worker=by.name, results=results, by=by)
    shared = Actor(account=by.account, name=SHARED_WORKER, version=mark)
    tracking.heartbeat(job, worker=SHARED_WORKER, message=mark, by=shared)
    failure = Result(f"{mark}-5", "failed", error=SHARED_ERROR)
    tracking.report(phase, worker=SHARED_WORKER, results=[failure], by=shared)
    until = timezone.now() + timedelta(hours=1)
    Quarantine.objects.create(phase=phase, worker=by.name, since=timezone.now(), until=until, failures=20)
    Phase.objects.filter(pk=phase.pk).update(quarantined=1)
    tracking.heartbeat(job, worker=by.name, items=[claimed[2].id], message=mark, by=by)
    operations.skip(job, actor=None, items=[Item.objects.get(phase=phase, key=f"{mark}-4").pk], reason=mark)
    over = tracking.create_job(name=f"{mark}-over", project=project, items=[NewItem(mark)], by=by).job
    operations.force_complete(over, actor=None, reason=mark)
    tracking.create_job(name=f"{mark}-vision", kind="vision", project=project, by=by)
    return Job.objects.get(pk=job.pk)


def bulk_act_on(job: Job, *, mark: str, actor: User) -> Any:
    """Make a running bulk act on this job that was refused for a reason."""
    selections = [TargetSelection(each.job, bulk.expected_state(each).states, ()) for each in snapshots_of([job])]
    act = bulk.create_bulk_act(ActRequest(ACTS["retry"], Scope(), mark), selections, actor=actor, words=mark)
    BulkAct.objects.filter(pk=act.pk).update(back=f"/admin/?q={mark}", ended_by=mark)
    BulkTarget.objects.filter(bulk=act).update(detail=mark, refusals={"items": [mark]})
    return act


def unmarked_fields() -> set[str]:
    """Return the text fields of the site's models that hold the mark in no row of the foreign project."""
    return {
        f"{model._meta.label}.{field.name}"
        for app in ("jobs", "ocr_chunks", "training")
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.concrete_fields
        if is_text(field) and not holds_mark(model, field.name)
    }


def is_text(field: Any) -> bool:
    """Return whether a field holds free text: no choice of words, no key of a row."""
    return isinstance(field, (CharField, TextField, JSONField)) and not field.choices and not field.primary_key


def holds_mark(model: type[Model], name: str) -> bool:
    """Return whether a row of the model has the mark, or the project, in this field."""
    values = model._base_manager.values_list(name, flat=True)
    return any(text in str(value) for value in values for text in (MARKS[FOREIGN], FOREIGN))
