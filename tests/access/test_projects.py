"""The border of a project: no answer to an account that is limited to one holds a text of another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse

from tests.access.asking import API, address, ask, body, targets
from tests.access.callers import LIMITED, Caller, sign_in
from tests.access.conftest import Site
from tests.access.projects import FOREIGN, OWN, SHARED_ERROR, SHARED_WORKER, unmarked_fields
from tests.access.routes import http_routes
from tests.access.table import read_table
from tests.plan import FULL

pytestmark = [pytest.mark.django_db, pytest.mark.full]
TABLE = read_table()
# The signature of its address is the right to see it, without an account.
PUBLIC = "badge/{signed}.svg"
# Words that the site itself writes, digests and secrets. A field of another kind needs a mark in `projects.py`.
UNMARKED = {
    "jobs.Activity.about",
    "jobs.Activity.act",
    "jobs.Activity.target_id",
    "jobs.BulkAct.act",
    "jobs.BulkAct.actor",
    "jobs.BulkAct.scope",
    "jobs.BulkTarget.became",
    "jobs.BulkTarget.items",
    "jobs.BulkTarget.outcome",
    "jobs.BulkTarget.states",
    "jobs.BulkTarget.was",
    "jobs.Endpoint.disabled_reason",
    "jobs.Endpoint.previous_secret",
    "jobs.Endpoint.secret",
    "jobs.Endpoint.sender",
    "jobs.Event.detail",
    "jobs.Event.type",
    "jobs.GrowingCount.kind",
    "jobs.GrowingCount.name",
    "jobs.GrowingCount.outcome",
    "jobs.InboxMessage.digest",
    "jobs.IncidentEntry.act",
    "jobs.Item.key_digest",
    "jobs.Job.kind",
    "jobs.NotificationRule.kinds",
    "jobs.NotificationRule.timezone",
    "jobs.Phase.code",
    "jobs.Phase.error",
    "jobs.ProcessHeartbeat.kind",
    "jobs.ProcessHeartbeat.name",
    "jobs.Ticket.session_key",
    "jobs.Ticket.token",
    "jobs.WallLink.digest",
}


@pytest.fixture(scope="module")
def readers(site: Site) -> list[Caller]:
    """Provide the limited account with every permission there is, and at the large size those of the roles too."""
    roles = [site.callers[name] for name in LIMITED] if FULL else []
    return [sign_in("everything", project=OWN, every_permission=True), *roles]


def text_of(response: HttpResponse | StreamingHttpResponse) -> str:
    """Return headers and body; of a stream without an end the headers."""
    headers = str(response.headers)
    if not isinstance(response, StreamingHttpResponse):
        return headers + response.content.decode(errors="replace")
    if "event-stream" in response.headers["Content-Type"]:
        return headers
    return headers + asyncio.run(_joined(response.streaming_content)).decode(errors="replace")  # type: ignore[arg-type]


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def asked(site: Site) -> Iterator[tuple[str, str, str]]:
    """Yield method, address and body of every request: each route, for the objects of both projects."""
    for route in http_routes():
        if route.path == PUBLIC:
            continue
        kind = "api" if route.path.startswith(API) else "page"
        for method in sorted({"GET", *TABLE.methods(kind, route.path)}):
            for target in targets(route.path, method):
                project = site.projects[target]
                yield method, address(route.path, project), body(route.path, method, project)


def found(site: Site, caller: Caller, requests: Iterator[tuple[str, str, str]]) -> tuple[list[Any], bool]:
    """Return the requests whose answer holds the mark of the foreign project, and whether one holds the own mark."""
    leaks, sees_own = [], False
    for method, at, sent in requests:
        text = text_of(ask(site.client, caller, method, at, sent))
        sees_own = sees_own or site.projects[OWN].mark in text
        if site.projects[FOREIGN].mark in text.replace(at, ""):
            leaks.append((caller.name, method, at))
    return leaks, sees_own


def test_every_text_field_of_a_model_holds_the_mark_of_its_project(site: Site) -> None:
    assert unmarked_fields() == UNMARKED


def test_no_answer_holds_a_text_of_another_project(site: Site, readers: list[Caller]) -> None:
    for caller in readers:
        leaks, sees_own = found(site, caller, asked(site))
        assert (leaks, sees_own) == ([], True)


# Values that only objects of the foreign project have, and names that both projects use.
SEARCHES = (
    "q=zq",
    "status=all",
    "status=all&q=zqb",
    "project={name}",
    "job={job_id}",
    "endpoint={endpoint_id}",
    f"worker={SHARED_WORKER}",
    f"signature={SHARED_ERROR}",
)
LISTS = [path for path in sorted(TABLE.paths("page")) if path.endswith("/") and "{" not in path]
COLLECTIONS = [f"{API}/{name}" for name in ("jobs", "errors", "events", "documents", "training")]


@pytest.mark.parametrize("search", SEARCHES)
def test_no_search_and_no_filter_reaches_another_project(site: Site, readers: list[Caller], search: str) -> None:
    foreign = site.projects[FOREIGN]
    query = search.format(name=foreign.name, **foreign.values)
    searched = [("GET", f"/{path}?{query}", "") for path in (*LISTS, *COLLECTIONS)]
    for caller in readers:
        assert found(site, caller, iter(searched))[0] == []


def test_a_selection_of_both_projects_acts_on_the_own_jobs_alone(site: Site, readers: list[Caller]) -> None:
    own, foreign = (site.projects[name].values["job_id"] for name in (OWN, FOREIGN))
    for act in ("retry", "cancel", "restart"):
        text = text_of(ask(site.client, readers[0], "GET", f"/admin/jobs/job/act/{act}/?job={own}&job={foreign}"))
        assert [site.projects[name].mark in text for name in (OWN, FOREIGN)] == [True, False]


@pytest.mark.parametrize(("kind", "rest"), [("jobs", "job"), ("training", "session")])
def test_a_name_of_another_project_is_taken_without_a_word_of_it(
    site: Site, readers: list[Caller], kind: str, rest: str
) -> None:
    name = f"{site.projects[FOREIGN].mark}-{rest}"
    given = {**json.loads(body(f"{API}/{kind}", "POST", site.projects[OWN])), "name": name}
    response = ask(site.client, readers[0], "POST", f"/{API}/{kind}", json.dumps(given))
    assert (response.status_code, response.json()["code"]) == (409, "name_taken")
    assert FOREIGN not in text_of(response).replace(name, "")
