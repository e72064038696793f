"""Every search ignores the case of all letters, on both databases."""

from __future__ import annotations

from io import StringIO
from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.test import Client

from jobs import operations, tracking
from jobs.change import Actor
from jobs.models import Job
from jobs.tracking import NewItem
from tests.factories import make_job, phase_of, settle
from tests.jobs.pages.conftest import Browser
from tests.ocr_chunks.factories import make_document
from tests.training.factories import make_session

NAME = "Müller ŁÓDŹ Здравствуй Straße"
WORDS = ["müller", "MÜLLER", "łódź", "ЗДРАВСТВУЙ", "strasse", "STRASSE", normalize("NFD", "mÜller"), "ller łó"]
OTHERS = ["muller", "lodz", "%", "_", "müller_", "\\"]


@pytest.mark.django_db
@pytest.mark.parametrize(("words", "found"), [(words, 1) for words in WORDS] + [(words, 0) for words in OTHERS])
def test_the_lookup_of_every_search_finds_letters_of_either_case(words: str, found: int) -> None:
    make_job(name=NAME)
    make_job(name="Another")
    assert Job.objects.filter(name__icontains=words).count() == found


@pytest.mark.django_db
@pytest.mark.parametrize("lookup", ["iexact", "istartswith", "iendswith", "icontains"])
def test_each_comparison_without_case_is_one_of_all_letters(lookup: str) -> None:
    make_job(name="ÜBERSICHT")
    assert Job.objects.filter(**{f"name__{lookup}": "übersicht"}).count() == 1


LISTS = {
    "jobs": "/admin/jobs/job/?q={}&status=all",
    "workers": "/admin/jobs/worker/?q={}",
    "endpoints": "/admin/jobs/endpoint/?q={}",
    "documents": "/admin/ocr_chunks/document/?q={}",
    "sessions": "/admin/training/trainingsession/?q={}",
    "overview": "/admin/?q={}",
    "errors": "/admin/errors/?q={}",
}


@pytest.fixture
def filled(db: None) -> None:
    """Something of every list that has the name."""
    job = make_job(name=f"{NAME} job", items=1)
    settle(phase_of(job), ["failed"])
    tracking.heartbeat(make_job(items=1), worker=f"{NAME} worker", by=Actor(name=f"{NAME} worker"))
    operations.add_endpoint(url="https://example.com/x", name=f"{NAME} endpoint", actor=None)
    make_document(1, name=f"{NAME}.pdf")
    make_session(name=f"{NAME} session")


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("page", LISTS)
def test_the_search_of_every_page_does(lead: Browser, page: str) -> None:
    def shown(words: str) -> int:
        return lead.open(LISTS[page].format(quote(words))).text.count("ŁÓDŹ")

    assert shown("łódź") > 0
    assert shown("lodz") == 0


@pytest.mark.usefixtures("filled")
def test_the_search_of_rest_and_of_the_command_does(client: Client, lead: Browser) -> None:
    def results(path: str) -> list[Any]:
        return list(lead.client.get(f"/api/v1/{path}").json()["results"])

    job = Job.objects.get(name=f"{NAME} job")
    tracking.add_items(phase_of(job), items=[NewItem("ÄRA", "Größe")], reopen=True, by=Actor())
    for words in ("łódź", "STRASSE"):
        assert job.pk in [each["id"] for each in results(f"jobs?q={quote(words)}")]
        assert len(results(f"errors?q={quote(words)}")) == 1
    for words in ("ära", "GRÖSSE"):
        assert len(results(f"jobs/{job.pk}/phases/items/items?q={quote(words)}")) == 1
    out = StringIO()
    call_command("jobs", "list", "--q", "ŁÓDź", stdout=out)
    assert job.name in out.getvalue()
