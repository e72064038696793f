"""Fragments of a page: only the sections that have changed."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client

from jobs.console.sections import HEADER, sections_of
from jobs.models import Job
from tests.factories import make_job

PAGE = """<title>T</title><nav>N</nav><section class="a" data-section="one"><section>in</section>
<p data-section="inner">x</p></section><ul data-section="two"><li>2</li></ul>
<section data-section="three" hidden></section>"""


def test_sections_are_found_with_the_elements_inside_them() -> None:
    found = dict(sections_of(PAGE))
    assert list(found) == ["one", "two", "three"]
    assert found["one"].endswith('<p data-section="inner">x</p></section>')
    assert found["two"] == '<ul data-section="two"><li>2</li></ul>'


def names(text: str) -> list[str]:
    return [name for name, _ in sections_of(text)]


def test_a_page_without_the_header_is_whole(lead: Any) -> None:
    response = lead.client.get("/admin/")
    assert HEADER not in response.headers
    assert b"<nav" in response.content


def test_a_page_sends_the_sections_that_changed_and_nothing_else(lead: Any) -> None:
    job = make_job(items=20, done=4)
    address = f"/admin/jobs/job/{job.pk}/"
    first = lead.client.get(address, headers={HEADER: ""})
    whole = lead.client.get(address).content.decode()
    assert names(first.content.decode()) == names(whole)
    assert "<head>" not in first.content.decode()
    known = first.headers[HEADER]
    same = lead.client.get(address, headers={HEADER: known})
    assert re.fullmatch(r"<title>[^<]+</title>", same.content.decode())
    assert same.headers[HEADER] == known
    Job.objects.filter(pk=job.pk).update(stage="Another stage")
    changed = lead.client.get(address, headers={HEADER: known}).content.decode()
    assert "Another stage" in changed
    assert set(names(changed)) < set(names(whole))


def test_an_age_and_a_token_are_no_change(lead: Any) -> None:
    make_job(items=20, done=4)
    first = lead.client.get("/admin/", headers={HEADER: ""}).headers[HEADER]
    again = lead.client.get("/admin/", headers={HEADER: first})
    assert names(again.content.decode()) == []


def test_a_page_that_is_not_permitted_stays_whole(client: Client, db: None) -> None:
    response = client.get("/admin/", headers={HEADER: ""})
    assert response.status_code == 302
    assert HEADER not in response.headers
