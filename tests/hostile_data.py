"""Rows of every model with hostile texts, and the address of every page that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.apps import apps
from django.contrib.auth.models import User
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone
from fido2.webauthn import (
    AttestationObject,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    CollectedClientData,
    RegistrationResponse,
)
from knox.models import AuthToken

from jobs import inbox, operations, tracking
from jobs.api import badge_links
from jobs.console.channels.acts import CHANNEL_ACTS
from jobs.console.deliveries.endpoint_acts import ENDPOINT_ACTS
from jobs.incidents import Cause, Finding, open_incidents
from jobs.models import Attempt, BulkAct, Channel, Endpoint, Event, Incident, Job, Notification, SavedView, Worker
from jobs.operations import INCIDENT_ACTS, bulk
from jobs.operations.arguments import Scope
from jobs.operations.bulk import ActRequest, TargetSelection
from jobs.operations.estimate import snapshots_of
from jobs.operations.registry import ACTS
from jobs.operations.wall_links import give_wall_link
from jobs.rules.incidents import IncidentKind
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Actor, Link, NewItem, Result
from ocr_chunks.documents import create_document
from tests.factories import operator, phase_of
from training.sessions import NewImage, create_session

HOSTILE = {
    "script": "</script><script>window.pwned = 1; alert(1)</script>",
    "attribute": '"\'><img src=x onerror="window.pwned = 1" style="width:9000px"><svg/onload=\'pwned=1\'>',
    "template": "{{ request.user }}{% load x %}${7*7}<!--",
    "link": "javascript:window.pwned=1//",
    "formula": '=HYPERLINK("http://evil.example/","click")',
    "direction": "ab\u202e\u2066gpj.exe\u202c\u2069\u200b",
    "control": "a\x1b[31mred\x07\x7f\r\nSet-Cookie: evil=1\tb\u2028c",
    "emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467 e\u0301\u0301\u0301 \U0001d4b3",
    "long": "W" * 2000,
}
# Entry points without a page: they answer a script, redirect, or (the two of the company) are there with a provider.
NO_PAGES = {
    "autocomplete",
    "bulk-stop",
    "client-wheel",
    "company-callback",
    "company-sign-in",
    "doctor",
    "jsi18n",
    "logout",
    "view-delete",
    "view-save",
    "wall-link-revoke",
}


@dataclass
class World:
    """Values of the parameters in addresses."""

    jobs: list[Job]
    values: dict[str, list[Any]] = field(default_factory=dict)


def make_world() -> World:
    """Make a job for each hostile text in every field of a worker, and a document, a session and the rest.

    The accounts that are there have every second factor each.
    """
    keys = [give_factors(account) for account in User.objects.all()]
    user = User.objects.create(username="world-worker")
    bad = HOSTILE["attribute"]
    endpoint = Endpoint.objects.create(
        url="https://example.com/hook", name=bad[:200], types=["*"], created_at=timezone.now()
    )
    hostile = [make_hostile(text) for text in HOSTILE.values()]
    document, session = hostile_document(bad), hostile_session(bad)
    jobs = [*hostile, document, session]
    letter = inbox.store_dead_letter({"type": bad[:120], "data": {bad: bad}}, reason=bad[:2000], source=bad[:120])
    event = Event.objects.filter(outward=True).order_by("pk")[0]
    channel = hostile_channel(bad)
    token, _ = AuthToken.objects.create(user)
    values = {
        "channel_id": [channel.pk],
        "rule_id": [channel.rules.get().pk],
        "job_id": [job.pk for job in jobs],
        "endpoint_id": [endpoint.pk],
        "delivery_id": list(event.deliveries.values_list("pk", flat=True)[:1]),
        "letter_id": [letter.pk],
        "incident_id": open_hostile_incidents(jobs),
        "bulk_id": [done_in_bulk(jobs, bad).pk],
        "view_id": [hostile_view(bad, account=user).pk],
        "event_id": [event.pk],
        "item_id": [job.phases.get(code="items").items.order_by("pk")[0].pk for job in hostile],
        "worker_id": list(Worker.objects.order_by("pk").values_list("pk", flat=True)[:12]),
        "attempt_id": list(Attempt.objects.exclude(log="").values_list("pk", flat=True)[:1]),
        "pk": [key.pk for key in keys],
        "code": ["items"],
        "document_id": [document.pk],
        "session_id": [session.pk],
        "id": [user.pk],
        "app_label": ["auth", "jobs", "ocr_chunks", "training"],
        "notation": ["csv", "json"],
        "signed": [badge_of(jobs[0])],
        "secret": [wall_secret()],
        "token": [token.digest],
    }
    return World(jobs, values)


def hostile_document(text: str) -> Job:
    """Make a document with this text, and a chunk that has failed with it; return its job."""
    document = create_document(name=text[:150], page_count=60, project=text[:128], by=Actor(name=text[:128])).document
    job = Job.objects.get(pk=document.pk)
    failed = [Result("1", "failed", error=text[:500])]
    tracking.report(phase_of(job), worker=text[:128], results=failed, by=Actor(name="w"))
    return job


def hostile_session(text: str) -> Job:
    """Make a training session with this text; return its job."""
    pictures = [NewImage(f"{text}/{n}.jpg", hash=text[:100]) for n in range(3)]
    by = Actor(name=text[:128])
    session = create_session(name=text[:199] + "s", images=pictures, project=text[:128], by=by).session
    return Job.objects.get(pk=session.pk)


def hostile_view(text: str, *, account: User) -> SavedView:
    """Share a saved view with this text."""
    return SavedView.objects.create(
        account=account,
        list_name="jobs_job",
        name=text[:80],
        query=f"q={quote(text)}"[:2000],
        shared=True,
        created_at=timezone.now(),
    )


def make_hostile(text: str) -> Job:
    """Make a job of a worker that writes this text wherever it may."""
    by = Actor(name=text[:128])
    name = f"{text[:180]} {uuid4()}"[:200]
    spec = PhaseSpec(code="items", label=text[:200], stage=f"{text[:400]} {{done}}", threshold=100)
    items = [NewItem(f"{text}{n}"[-1024:], label=text[:200], split=text[:64], payload={text: [text]}) for n in range(4)]
    metadata = {text: text}
    job = tracking.create_job(name=name, project=text[:128], phases=[spec], items=items, metadata=metadata, by=by).job
    phase = phase_of(job)
    results = [
        Result(items[0].key, "failed", error=text[:500], log=text, links=(Link(text[:200], "https://a.example/x"),)),
        Result(items[1].key, "completed", result={"checksum": text[:200], text: text}),
    ]
    tracking.report(phase, worker=text[:128], results=results, by=by)
    held = tracking.claim(phase, worker=text[:128], limit=1, by=by).items
    tracking.heartbeat(job, worker=text[:128], items=[item.id for item in held], message=text[:2000], by=by)
    operations.retry(job, actor=None, reason=text[:2000])
    tracking.report(phase, worker=text[:128], results=results[:1], by=by)
    operations.force_complete(make_small(text), actor=None, reason=text[:2000])
    return Job.objects.get(pk=job.pk)


def open_hostile_incidents(jobs: list[Job]) -> list[int]:
    """Open an incident of one job, and one of many, with these texts wherever they may be."""
    now = timezone.now()
    for number, (text, of) in enumerate(zip(HOSTILE.values(), (jobs[:1], jobs), strict=False)):
        cause = Cause(IncidentKind.JOB_FAILED, text[:128], f"{number}", title=text, detail=text, error=text)
        open_incidents([Finding(cause, [job.pk for job in of])], now=now)
    return list(Incident.objects.filter(cause__in=["0", "1"]).values_list("pk", flat=True))


def hostile_channel(text: str) -> Channel:
    """Make a channel with a rule and a message whose texts are this one."""
    now = timezone.now()
    channel = Channel.objects.create(
        name=text[:200], kind="mail", address="", masked=text[:200], created_at=now, last_result=text[:500]
    )
    operations.add_rule(channel, series=text[:200], job_kinds=[text[:100]], projects=[text[:128]], actor=None)
    Notification.objects.create(
        channel=channel, state="test", subject=text[:300], next_try_at=now, created_at=now, result=text[:500]
    )
    return channel


def give_factors(account: User) -> Authenticator:
    """Give an account an app, recovery codes, and a key that no device has; return the key, whose name is hostile."""
    TOTP.activate(account, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(account)
    proof = AttestationObject.create("none", AuthenticatorData.create(bytes(32), 0, 0), {})
    client = CollectedClientData.create("webauthn.create", b"challenge", "https://progress.example")
    response = AuthenticatorAttestationResponse(client_data=client, attestation_object=proof)
    answer = RegistrationResponse(raw_id=b"key", response=response)
    key: Authenticator = WebAuthn.add(account, HOSTILE["attribute"], dict(answer)).instance
    return key


def make_small(text: str) -> Job:
    """Make another job of that name, for acts that end a job."""
    return tracking.create_job(name=f"{text[:150]} small {uuid4()}"[:200], items=[NewItem("k")], by=Actor(name="w")).job


def done_in_bulk(jobs: list[Job], text: str) -> BulkAct:
    """Make a bulk act on these jobs: some are changed, one is refused."""
    order = ActRequest(ACTS["retry"], Scope(), text)
    marks = [
        TargetSelection(each.job, bulk.expected_state(each).states if n else "changed", ())
        for n, each in enumerate(snapshots_of(jobs))
    ]
    act = bulk.create_bulk_act(order, marks, actor=operator("retry"), words=text)
    bulk.run_bulk_act(act, seconds=60)
    return act


def badge_of(job: Job) -> str:
    """Return the signed part of the address of the job's badge."""
    return badge_links.links(job, at=lambda path: path)["badge"].rpartition("/")[2].removesuffix(".svg")


def wall_secret() -> str:
    """Return the secret of a link of the wall, given by an account that sees every job."""
    return give_wall_link("<b onclick=x>Office</b>", view=None, days=7, by=User.objects.create_superuser("wall-giver"))[
        1
    ]


# --- the addresses -----------------------------------------------------------------------------------


def pages(world: World) -> Iterator[str]:
    """Every address of the site that answers a page to GET, discovered from its URL patterns.

    A parameter that the world has no value for is an error: a new page is looked at from its first day.
    """
    for namespace, resolver in resolvers(get_resolver()):
        for name in sorted(key for key in resolver.reverse_dict if isinstance(key, str)):
            if (name not in NO_PAGES and not name.startswith("api-")) or name == "api-docs":
                yield from addresses(namespace, name, resolver, world)
    chosen = "&".join(f"job={pk}" for pk in world.values["job_id"][:2])
    yield from (f"/admin/jobs/job/act/{slug}/?{chosen}" for slug in ACTS)
    incidents = "&".join(f"incident={pk}" for pk in world.values["incident_id"])
    yield from (f"/admin/incidents/act/{slug}/?{incidents}" for slug in INCIDENT_ACTS)
    yield f"/admin/compare/?{chosen}"
    yield from (f"/admin/search/?q={quote(text[:20])}" for text in HOSTILE.values())
    yield f"/admin/replay/?event={world.values['event_id'][0]}"
    yield f"/admin/letters/replay/?letter={world.values['letter_id'][0]}"
    yield from (f"/admin/tokens/{act}/?token={world.values['token'][0]}" for act in ("rotate", "revoke"))


def resolvers(root: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLResolver]]:
    """Yield this resolver and all within, with their namespaces."""
    yield prefix, root
    for name, (_, inner) in root.namespace_dict.items():
        yield from resolvers(inner, f"{prefix}{name}:")


def addresses(namespace: str, name: str, resolver: URLResolver, world: World) -> Iterator[str]:
    """Yield the addresses of a page by name, for each value of each parameter; the first job has all acts."""
    for possibilities, *_ in resolver.reverse_dict.getlist(name):
        parameters = possibilities[0][1]
        values = [values_of(parameter, name, world) for parameter in parameters]
        for chosen in product(*values):
            kwargs = dict(zip(parameters, chosen, strict=True))
            if "slug" not in kwargs or kwargs.get("job_id", world.jobs[0].pk) == world.jobs[0].pk:
                yield reverse(f"{namespace}{name}", kwargs=kwargs)


def values_of(parameter: str, name: str, world: World) -> list[Any]:
    """Return the values that a parameter has in the addresses of this name."""
    if parameter == "slug":
        own = {
            "endpoint": ENDPOINT_ACTS,
            "channel": CHANNEL_ACTS,
            "incident": INCIDENT_ACTS,
            "incidents": INCIDENT_ACTS,
        }
        return list(own.get(name.partition("-")[0], ACTS))
    if parameter == "object_id":
        app, _, model = name.partition("_") if not name.startswith("ocr_chunks") else ("ocr_chunks", "_", name[11:])
        found = apps.get_model(app, model.split("_")[0])._base_manager.order_by("pk").first()
        return [] if found is None else [found.pk]
    return world.values[parameter]
