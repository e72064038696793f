"""Lists as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from jobs.console.admin.export import cell
from jobs.models import Delivery, Endpoint, Event, InboxMessage, Item, Job, Membership, Phase, Worker
from jobs.serializers import encode, job_body, phase_body
from tests.factories import item_of, make_job, phase_of, tell
from tests.jobs.pages.page_parser import Page
from tests.jobs.pages.test_letters_pages import letter

JOBS = "/admin/jobs/job/"
LISTS = [model for model in admin.site._registry if getattr(admin.site._registry[model], "exported", ())]


def content(response: Any) -> str:
    """Return the whole file of a download."""

    async def gather() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    assert response.status_code == 200, response
    return async_to_sync(gather)().decode()


def table(response: Any) -> list[dict[str, str]]:
    """The rows of a CSV file, as a spreadsheet reads them."""
    text = content(response)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(StringIO(text[1:], newline="")))


def address(model: Any, notation: str) -> str:
    """Return the address of the export of a list with every row."""
    own = f"/admin/{model._meta.app_label}/{model._meta.model_name}/export.{notation}"
    return f"{own}?status=all" if model in (Job,) else own


def reader(*permissions: str, projects: Sequence[str] = ()) -> Client:
    """Make a staff account with these permissions, limited to these projects."""
    account = User.objects.create(username=f"reader-{uuid4()}", is_staff=True)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    Membership.objects.bulk_create([Membership(user=account, project=project) for project in projects])
    client = Client()
    client.force_login(account)
    return client


@pytest.fixture
def root(transactional_db: None) -> Client:
    """An account that sees everything."""
    client = Client()
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    return client


# --- what is in a file ---------------------------------------------------------------------------------


def test_a_file_has_what_the_filters_leave_in_the_order_of_the_address(root: Client) -> None:
    for name in ("beta", "alpha", "gamma"):
        make_job(name=name, items=2)
    make_job(name="over", items=1, done=1)
    assert {row["name"] for row in table(root.get(f"{JOBS}export.csv"))} == {"alpha", "beta", "gamma"}
    by_name = [row["name"] for row in table(root.get(f"{JOBS}export.csv?status=all&o=2"))]
    assert by_name == ["alpha", "beta", "gamma", "over"]
    assert [row["name"] for row in table(root.get(f"{JOBS}export.csv?status=all&o=-2&q=a"))] == by_name[2::-1]
    assert [row["name"] for row in table(root.get(f"{JOBS}export.csv?status=completed"))] == ["over"]


def test_json_is_one_array_of_what_rest_calls_the_same(root: Client) -> None:
    job = make_job(name="runs", items=2, done=1, metadata={"a": [1]})
    [row] = json.loads(content(root.get(f"{JOBS}export.json")))
    assert (row["id"], row["name"], row["percent"], row["metadata"], row["stuck"]) == (
        job.pk,
        "runs",
        50,
        {"a": [1]},
        None,
    )
    body: dict[str, Any] = dict(job_body(job))
    assert {name: row[name] for name in row if name in body} == {
        name: json.loads(encode(body[name])) for name in row if name in body
    }
    assert row["created_at"].endswith("Z")


def test_items_have_their_retries_and_attempts(root: Client) -> None:
    job = make_job(items=2, retries=1)
    tell(phase_of(job), "k0", "failed", error="Disk full", log="a long log")
    first, second = sorted(json.loads(content(root.get(address(Item, "json")))), key=lambda row: row["key"])
    item = item_of(job, "k0")
    assert (first["failures"], first["available_at"]) == (1, json.loads(encode(item.available_at)))
    [attempt] = first["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["error"], "log" in attempt) == (
        0,
        "failed",
        "Disk full",
        False,
    )
    assert (second["failures"], second["available_at"], second["attempts"]) == (0, None, [])


def test_phases_have_the_figures_of_rest(root: Client) -> None:
    job = make_job(items=5, done=2, failed=1, threshold=90)
    [row] = json.loads(content(root.get(address(Phase, "json"))))
    body: dict[str, Any] = dict(phase_body(phase_of(job)))
    shared = [name for name in row if name in body]
    assert {name: row[name] for name in shared} == {name: json.loads(encode(body[name])) for name in shared}
    assert set(body) - set(shared) == {"rate_per_minute", "eta_seconds", "current"}


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_an_empty_list_is_a_file_too(root: Client, model: Any) -> None:
    columns = [column.name for column in admin.site._registry[model].exported]  # type: ignore[attr-defined]
    assert content(root.get(address(model, "csv"))) == "\ufeff" + ",".join(columns) + "\r\n"
    assert json.loads(content(root.get(address(model, "json")))) == []
    assert len(set(columns)) == len(columns)


def test_every_list_of_the_kernel_has_its_rows(root: Client) -> None:
    job = make_job(name="runs", items=2, done=1)
    letter(reason="why")
    rows = {model: table(root.get(address(model, "csv"))) for model in (Phase, Item, Event, Worker, InboxMessage)}
    assert [row["job"] for row in rows[Item]] == ["runs", "runs"]
    assert [row["phase"] for row in rows[Item]] == ["items", "items"]
    assert [row["key"] for row in rows[Item]] == ["k1", "k0"]
    assert {row["job_id"] for row in (*rows[Phase], *rows[Event])} == {str(job.pk)}
    assert [row["name"] for row in rows[Worker]] == ["w1"]
    assert [row["reason"] for row in rows[InboxMessage]] == ["why"]


def test_deliveries_name_their_event_and_endpoint(root: Client) -> None:
    Endpoint.objects.create(name="mine", url="https://example.org/", created_at=timezone.now())
    job = make_job(items=1, done=1)
    rows = table(root.get(address(Delivery, "csv")))
    assert {(row["job"], row["endpoint"], row["status"]) for row in rows} == {(job.name, "mine", "waiting")}
    assert all(row["event_id"] and row["type"].endswith(".completed") for row in rows)


# --- cells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_text_that_a_spreadsheet_would_calculate_is_written_as_text(first: str) -> None:
    assert cell(f"{first}cmd|' /C calc'!A0") == f"'{first}cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a=b", "a=b"),
        ("", ""),
        (-5, -5),
        (None, None),
        (True, "true"),
        ({"a": ["ü", -1]}, '{"a":["ü",-1]}'),
        (datetime(2026, 11, 21, 7, 5, 9, tzinfo=UTC), "2026-11-21T07:05:09Z"),
    ],
)
def test_other_values_are_written_as_they_are(value: Any, written: Any) -> None:
    assert cell(value) == written


@pytest.mark.parametrize("text", ['a "quoted" one', "a,b;c", "two\nlines", "two\r\nlines", "naïve 漢字 🙂", "<b>&amp;"])
def test_texts_come_back_as_they_were(root: Client, text: str) -> None:
    make_job(name=text)
    assert [row["name"] for row in table(root.get(f"{JOBS}export.csv"))] == [text]
    assert [row["name"] for row in json.loads(content(root.get(f"{JOBS}export.json")))] == [text]


def test_a_hostile_name_is_no_formula_in_a_file_and_itself_in_json(root: Client) -> None:
    make_job(name="=1+1")
    assert [row["name"] for row in table(root.get(f"{JOBS}export.csv"))] == ["'=1+1"]
    assert [row["name"] for row in json.loads(content(root.get(f"{JOBS}export.json")))] == ["=1+1"]


# --- who gets it ---------------------------------------------------------------------------------------


def test_an_account_gets_only_its_projects(root: Client) -> None:
    for project in ("a", "b"):
        make_job(name=f"of-{project}", project=project, items=1)
    limited = reader("view_job", "view_item", "view_phase", "view_event", projects=["a"])
    assert [row["name"] for row in table(limited.get(f"{JOBS}export.csv?status=all"))] == ["of-a"]
    for model in (Item, Phase, Event):
        assert {row["job"] for row in table(limited.get(address(model, "csv")))} == {"of-a"}


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
@pytest.mark.django_db
def test_without_the_permission_there_is_no_file(model: Any) -> None:
    assert reader().get(address(model, "csv")).status_code == 403
    asked = Client().get(address(model, "csv"))
    assert (asked.status_code, asked.headers["Location"].partition("?")[0]) == (302, "/admin/login/")


@pytest.mark.parametrize("path", ["/admin/jobs/endpoint/", "/admin/knox/authtoken/", "/admin/jobs/membership/"])
def test_lists_with_secrets_or_without_columns_have_no_file(root: Client, path: str) -> None:
    followed = root.get(f"{path}export.csv", follow=True)
    assert "Content-Disposition" not in followed.headers
    assert b"Export as" not in root.get(path).content


# --- how it is answered --------------------------------------------------------------------------------


@pytest.mark.parametrize(("notation", "kind"), [("csv", "text/csv; charset=utf-8"), ("json", "application/json")])
def test_it_is_an_attachment_that_nobody_keeps(root: Client, notation: str, kind: str) -> None:
    response = root.get(f"{JOBS}export.{notation}")
    assert response.headers["Content-Type"] == kind
    named = f'attachment; filename="jobs-{timezone.now():%Y-%m-%d}.{notation}"'
    assert response.headers["Content-Disposition"] == named
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response.headers["Cache-Control"]


def test_head_reads_nothing_and_nothing_else_is_allowed(root: Client) -> None:
    assert root.head(f"{JOBS}export.csv").content == b""
    assert root.post(f"{JOBS}export.csv").status_code == 405
    assert "Content-Disposition" not in root.get(f"{JOBS}export.xml", follow=True).headers


@pytest.mark.parametrize(("query", "back"), [("q=%00", "./"), ("unheard=2", "./?e=1"), ("p=99", "./?e=1")])
def test_a_question_that_the_list_refuses_leads_back_to_it(root: Client, query: str, back: str) -> None:
    Worker.objects.bulk_create([Worker(name=f"w{n}", seen_at=timezone.now()) for n in range(60)])
    response = root.get(f"/admin/jobs/worker/export.csv?{query}")
    assert (response.status_code, response.headers["Location"]) == (302, back)


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_a_list_links_its_files_with_its_filters(root: Client, model: Any) -> None:
    page = Page(root.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/?q=a%26b&p=1"))
    assert page.links()["CSV"] == "export.csv?q=a%26b"
    assert page.links()["JSON"] == "export.json?q=a%26b"
