"""Names: stored in one spelling from every entry point; keys and labels stay as sent."""

from __future__ import annotations

from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any
from unicodedata import normalize
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from jobs import inbox
from jobs.change import Actor
from jobs.models import Endpoint, Item, Job, Membership, Worker
from jobs.rules import names
from jobs.rules.composition import composed
from jobs.rules.errors import BadInput
from jobs.tracker import ProgressTracker
from ocr_chunks.models import Document
from tests.factories import make_job
from tests.jobs.api.conftest import Api, api, lead, worker
from tests.jobs.pages.conftest import Browser
from tests.ocr_chunks.factories import make_document

__all__ = ["api", "lead", "worker"]
pytestmark = pytest.mark.django_db

NAME = "Größe Zoë"
TYPED = f"\u00a0{normalize('NFD', NAME)} \n"
WRONG = {"a\x07b": "U+0007 at position 2", "a\u202eb": "U+202E at position 2", " a\nb": "U+000A at position 3"}


def event(job: str) -> dict[str, Any]:
    """Announce two images as a producer."""
    data = {"job_id": job, "event_id": str(uuid4()), "total_images": 2}
    return {"type": "products.images.ready.batch", "data": data}


def test_the_spelling_is_composed_and_without_white_space_at_its_ends() -> None:
    assert TYPED != NAME
    assert names.clean(TYPED, field="name") == names.plain(TYPED) == NAME
    assert names.clean("", field="name") == ""


@pytest.mark.parametrize("kept", ["a  b", "\u200f\u05d0", "\U0001f468\u200d\U0001f469", "\u0645\u200c\u062e", "~!@#"])
def test_what_languages_need_is_kept(kept: str) -> None:
    assert names.clean(kept, field="name") == kept


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/jobs", {"name": TYPED, "project": TYPED}, "name"),
        ("/documents", {"name": TYPED, "project": "", "page_count": 3}, "name"),
        ("/training", {"name": TYPED, "project": TYPED}, "project"),
        ("/claim", {"worker": TYPED, "phase": "items"}, "worker"),
        ("/endpoints", {"url": "https://example.com/x", "name": TYPED, "project": TYPED}, "name"),
    ],
)
def test_rest_stores_one_spelling_and_names_a_character_that_it_refuses(
    worker: Api, lead: Api, path: str, body: dict[str, Any], field: str
) -> None:
    client = lead if path == "/endpoints" else worker
    assert client.post(path, body).status_code in (200, 201)
    kept = {each for model in (Job, Document, Endpoint) for each in model.objects.values_list("name", flat=True)}
    kept |= set(Worker.objects.values_list("name", flat=True)) | set(Job.objects.values_list("project", flat=True))
    assert kept <= {NAME, ""}
    for wrong, where in WRONG.items():
        answer = client.post(path, {**body, field: wrong})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
        assert where in answer.json()["errors"][0]["detail"]


def test_a_name_that_is_too_long_in_its_stored_form_is_refused(worker: Api) -> None:
    grows = "\u0958"
    assert len(normalize("NFC", grows)) == 2
    answer = worker.post("/jobs", {"name": grows * 150})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "name")


def test_every_spelling_finds_the_same_job(worker: Api) -> None:
    made = worker.post("/jobs", {"name": NAME, "items": [{"key": "a"}]}).json()["id"]
    assert worker.post("/jobs", {"name": TYPED}).json()["id"] == made
    [found] = worker.get(f"/jobs?name={normalize('NFD', NAME)}").json()["results"]
    assert found["id"] == made
    tracker = ProgressTracker()
    assert tracker.create_job(TYPED, []) == tracker.get_job_id(TYPED) == made
    out = StringIO()
    call_command("jobs", "show", TYPED, stdout=out)
    call_command("jobs", "list", "--name", TYPED, stdout=out)
    assert out.getvalue().count(NAME) >= 2
    assert Job.objects.count() == 1


def test_an_event_finds_the_job_by_every_spelling_of_its_name() -> None:
    first = inbox.ingest_event(event(NAME), source="s", by=Actor())
    assert inbox.ingest_event(event(TYPED), source="s", by=Actor()).job == first.job
    with pytest.raises(BadInput) as refused:
        inbox.ingest_event(event("a\x07b"), source="s", by=Actor())
    assert list(refused.value.errors) == ["data.job_id"]


def test_the_tracker_refuses_what_no_name_has() -> None:
    with pytest.raises(ValueError, match=r"U\+0007 at position 2"):
        ProgressTracker().create_job("a\x07b", [])


def test_the_token_command_stores_one_spelling() -> None:
    call_command("token", "create", TYPED, "--project", TYPED, stdout=StringIO())
    assert (User.objects.get().username, Membership.objects.get().project) == (NAME, NAME)
    with pytest.raises(CommandError, match=r"U\+0007"):
        call_command("token", "create", "w2", "--project", "a\x07b", stdout=StringIO())
    assert User.objects.count() == 1


def test_the_forms_of_the_pages_do_so_too() -> None:
    browser = Browser("lead")
    browser.account.is_superuser = True
    browser.account.save()
    browser.confirm("/admin/tokens/issue/", account=TYPED, role=["worker"], projects=TYPED)
    account = User.objects.get(username=NAME)
    added = {"user": account.username, "project": normalize("NFD", "Ähnlich")}
    browser.client.post("/admin/jobs/membership/add/", added)
    assert {each.project for each in account.memberships.all()} == {NAME, "Ähnlich"}
    page = browser.client.post("/admin/jobs/membership/add/", {"user": account.username, "project": "a\x07b"})
    assert "U+0007" in page.content.decode()


def test_keys_and_labels_are_kept_as_they_come(worker: Api) -> None:
    made = worker.post("/jobs", {"name": "j", "items": [{"key": TYPED, "label": TYPED}, {"key": NAME}]}).json()["id"]
    assert set(Item.objects.filter(phase__job=made).values_list("key", flat=True)) == {TYPED, NAME}
    assert Item.objects.get(key=TYPED).label == TYPED


def test_names_that_are_stored_already_get_the_same_spelling_unless_it_is_taken() -> None:
    document = make_document(1, name="d.pdf")
    Document.objects.filter(pk=document.pk).update(name=TYPED, project=TYPED)
    Job.objects.filter(pk=document.pk).update(name=f"{TYPED}/x", project=TYPED)
    plain, taken, left = make_job(name="b"), make_job(name="e\u0301"), make_job(name="\u00e9")
    for app in ("jobs.migrations.0013_names", "ocr_chunks.migrations.0002_names"):
        import_module(app).spell_again(apps, SimpleNamespace(connection=connection))
    document.refresh_from_db()
    assert (document.name, document.project, document.job.project) == (NAME, NAME, NAME)
    kept = Job.objects.filter(pk__in=[plain.pk, taken.pk, left.pk]).order_by("pk").values_list("name", flat=True)
    assert list(kept) == ["b", "e\u0301", "\u00e9"]


@pytest.mark.parametrize(
    "text", ["e\u0301", "a\u0323\u0307", "\u1100\u1161\u11a8", "\u0bc6\u0bbe", "\u212b", "\u0f73", "x" * 99]
)
def test_a_composed_text_is_in_the_form_nfc(text: str) -> None:
    assert composed(text * 9) == normalize("NFC", text * 9)
    assert composed("e" + "\u0323\u0301" * 15) == normalize("NFC", "e" + "\u0323\u0301" * 15)


def test_a_run_of_more_marks_than_any_language_has_stays_as_it_is() -> None:
    run = "\u0301\u0323" * 16
    assert composed(f"e\u0301e{run}e\u0301") == f"\u00e9e{run}\u00e9"
