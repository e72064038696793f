"""Every page that there is, found by the addresses of the site, over what the worst of workers have written."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import Permission

from jobs.models import Job
from tests.hostile_data import HOSTILE, World, badge_of, make_hostile, make_world, pages
from tests.jobs.pages.page_parser import Node, Page
from tests.jobs.pages.test_exporting import JOBS, content, reader, table

# Changing, adding and deleting is what verbs do; an act on several jobs, and a replay, need arguments.
NOT_FOR_ALL = r"/(add|delete|history|change)/$|/(job|incidents)/act/[a-z-]+/$|/replay/$|/tokens/(rotate|revoke)/$"
DRAWN = {"svg", "title", "rect", "text", "g", "path", "defs", "pattern", "line", "clipPath", "linearGradient", "stop"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@pytest.fixture
def world(db: None) -> World:
    """One of everything, with hostile texts in it."""
    return make_world()


def everything(lead: Any) -> Any:
    """An account that may open every page, also those of accounts and groups."""
    lead.account.user_permissions.set(Permission.objects.all())
    return lead


def answer(client: Any, address: str) -> Any:
    """Return the response, redirects followed."""
    return client.get(address, follow=True)


def faults(response: Any) -> list[str]:
    """Return markup that the content policy forbids, and worker text that is more than text."""
    if not response.headers["Content-Type"].startswith("text/html"):
        return []
    page = Page(response)
    return [fault for node in page.root.walk() for fault in faults_of(node)]


def faults_of(node: Node) -> list[str]:
    found = [f"<{node.tag} {name}=…>" for name in node.attributes if name == "style" or name.startswith("on")]
    if node.tag == "style" or (node.tag == "script" and not is_file_or_data(node)):
        found.append(f"inline <{node.tag}>")
    if node.tag == "img" and "src" in node.attributes and not node.attributes["src"].startswith("/static/"):
        found.append(f"<img src={node.attributes['src']}>")
    for name in ("href", "src", "action", "formaction"):
        if re.match(r"\s*(javascript|data|vbscript):", node.attributes.get(name, ""), re.IGNORECASE):
            found.append(f"<{node.tag} {name}={node.attributes[name]}>")
    return found


def is_file_or_data(node: Node) -> bool:
    """A script from a file, or data that no browser runs."""
    is_ours = re.match(r"/[^/]", node.attributes.get("src", "")) is not None
    return is_ours or node.attributes.get("type") == "application/json"


def test_every_page_works_and_holds_nothing_inline_and_nothing_of_a_worker_but_text(lead: Any, world: World) -> None:
    client = everything(lead).client
    wrong: dict[str, Any] = {}
    seen = set(pages(world))
    assert len(seen) > 100
    for address in sorted(seen):
        response = answer(client, address)
        allowed = {403, 404} if re.search(NOT_FOR_ALL, address) else set()
        if response.status_code not in {200, *allowed}:
            wrong[address] = response.status_code
        elif found := faults(response):
            wrong[address] = found
        elif "Content-Security-Policy" not in response.headers:
            wrong[address] = "no policy"
    assert wrong == {}, "\n".join(f"{address}: {what}" for address, what in wrong.items())


def test_a_file_of_jobs_holds_no_formula_and_the_text_as_it_is(transactional_db: None) -> None:
    client = reader("view_job")
    jobs = {str(job.pk): job for job in map(make_hostile, HOSTILE.values())}
    rows = table(answer(client, f"{JOBS}export.csv?status=all"))
    assert [value for row in rows for value in row.values() if value.startswith(FORMULA)] == []
    assert {row["id"]: row["name"].removeprefix("'") for row in rows if row["id"] in jobs} == names(jobs)
    listed = json.loads(content(answer(client, f"{JOBS}export.json?status=all")))
    assert {str(row["id"]): row["name"] for row in listed if str(row["id"]) in jobs} == names(jobs)


def names(jobs: dict[str, Job]) -> dict[str, str]:
    """The names of the jobs by their ids."""
    return {pk: job.name for pk, job in jobs.items()}


def test_the_badge_of_a_hostile_job_is_a_picture_and_nothing_else(client: Any, world: World) -> None:
    for job in world.jobs:
        for style in ("", "?style=bar"):
            response = client.get(f"/badge/{badge_of(job)}.svg{style}")
            assert response.headers["Content-Type"].startswith("image/svg+xml")
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            nodes = list(ElementTree.fromstring(response.content).iter())
            assert {node.tag.rpartition("}")[2] for node in nodes} <= DRAWN
            assert [name for node in nodes for name in node.attrib if name.startswith("on") or "href" in name] == []


def test_no_header_of_an_answer_is_written_by_a_worker(lead: Any, world: World) -> None:
    for job in Job.objects.all():
        response = lead.client.get(f"/api/v1/jobs/{job.pk}")
        assert response.status_code == 200
        assert "evil" not in str(response.headers)
        assert response.json()["name"] == job.name
