"""Names of people and workers stand in `<bdi>`, so that one from right to left does not turn the text around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import Permission

from jobs import operations, tracking
from jobs.incidents import Cause, Finding, open_incidents
from jobs.models import Incident, Job, Worker
from jobs.rules.incidents import IncidentKind
from jobs.tracking import Actor, NewItem, Result
from ocr_chunks.documents import create_document
from tests.factories import phase_of
from tests.jobs.pages.page_parser import UNSEEN, Node
from training.sessions import NewImage, create_session

NAME = "שם"
SENTENCE = re.compile(r"\.\s*$| failed: ")
INLINE = {
    "a",
    "abbr",
    "b",
    "bdi",
    "button",
    "code",
    "input",
    "kbd",
    "option",
    "q",
    "select",
    "small",
    "span",
    "svg",
    "time",
}


def make_named() -> Job:
    """A job whose names are all from right to left, with a failure, a lease, an act and an incident."""
    by = Actor(name=f"{NAME} account")
    items = [NewItem(f"{NAME} key {number}") for number in range(4)]
    job = tracking.create_job(name=f"{NAME} job", project=f"{NAME} project", items=items, by=by).job
    phase = phase_of(job)
    tracking.report(phase, worker=f"{NAME} worker", results=[Result(items[0].key, "failed", error="plain")], by=by)
    held = tracking.claim(phase, worker=f"{NAME} worker", limit=1, by=by).items
    tracking.heartbeat(job, worker=f"{NAME} worker", items=[item.id for item in held], message="plain", by=by)
    operations.pause(job, actor=None, reason="plain")
    operations.resume(job, actor=None)
    cause = Cause(IncidentKind.JOB_FAILED, f"{NAME} project", "1", title="plain", detail="plain", error="")
    open_incidents([Finding(cause, [job.pk])], now=job.created_at)
    return job


def addresses(job: Job) -> list[str]:
    """The pages that show them."""
    page = job.get_absolute_url()
    document = create_document(name=f"{NAME}.pdf", page_count=60, project=job.project, by=Actor(name="w")).document
    pictures = [NewImage(f"{NAME}/{number}.jpg") for number in range(3)]
    session = create_session(name=f"{NAME} session", images=pictures, project=job.project, by=Actor(name="w")).session
    others = [Job.objects.get(pk=each.pk) for each in (document, session)]
    item, failed = (phase_of(job).items.order_by("pk")[n].pk for n in (1, 0))
    return [
        *("/admin/", "/admin/errors/", "/admin/activity/", "/admin/incidents/", f"/admin/search/?q={NAME}"),
        *(f"/admin/jobs/{name}/" for name in ("job", "phase", "item", "worker", "event")),
        *("/admin/ocr_chunks/document/", "/admin/ocr_chunks/chunk/"),
        *("/admin/training/trainingsession/", "/admin/training/trainingimage/"),
        *(page, f"{page}report/", f"{page}badge/", f"{page}retry/", f"{page}cancel/", f"{page}?status=failed"),
        f"/admin/jobs/job/act/pause/?job={job.pk}&job={others[0].pk}",
        *(each.get_absolute_url() for each in others),
        *(f"/admin/jobs/item/{pk}/change/" for pk in (item, failed)),
        Worker.objects.get(name=f"{NAME} worker").get_absolute_url(),
        Incident.objects.get(cause="1").get_absolute_url(),
        f"/admin/compare/?job={job.pk}&job={others[0].pk}",
        "/admin/?wall",
    ]


def bare(block: Node) -> Iterator[str]:
    """Yield the names in a block that have text after them without being isolated; a sentence is no name."""
    texts: list[tuple[str, bool]] = []
    for node in block.children:
        if isinstance(node, Node) and node.tag not in INLINE:
            yield from bare(node)
        else:
            texts += _texts(node, is_isolated=False)
    for number, (text, is_isolated) in enumerate(texts):
        after = "".join([text.rpartition(NAME)[2].partition(" · ")[2], *(more for more, _ in texts[number + 1 :])])
        if NAME in text and not is_isolated and not SENTENCE.search(text) and after.strip():
            yield f"<{block.tag}> {' '.join(text.split())}"


def _texts(node: Node | str, *, is_isolated: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, str):
        yield node, is_isolated
    elif node.attributes.get("class") != "visually-hidden" and node.tag not in UNSEEN | {
        "option",
        "button",
        "textarea",
    }:
        for child in node.children:
            yield from _texts(child, is_isolated=is_isolated or node.tag in ("bdi", "q", "code"))


def test_names_are_isolated_from_the_text_around_them(lead: Any) -> None:
    lead.account.user_permissions.set(Permission.objects.all())
    lead.account.first_name = f"{NAME} person"
    lead.account.save()
    found = {address: list(bare(lead.open(address).root)) for address in addresses(make_named())}
    wrong = {address: sorted(set(texts)) for address, texts in found.items() if texts}
    assert wrong == {}, "\n".join(f"{address}: {texts}" for address, texts in wrong.items())
