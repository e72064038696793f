"""The badge of a job: what pages of others show of it, without an account."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.signing import Signer
from django.test import Client
from django.utils import timezone

from jobs import operations
from jobs.api import badge_links
from jobs.console.job.badge_image import COLOURS, QUIET, SOLID
from jobs.models import Job
from tests.factories import complete, job_in, make_job, phase_of
from tests.jobs.pages.test_job_page import address

pytestmark = pytest.mark.django_db
SVG = "{http://www.w3.org/2000/svg}"
COLOURS_CSS = Path(__file__).resolve().parents[3] / "jobs/console/static/jobs/colours.css"
MEANINGS = {"running": "run", "completed": "ok", "partial": "ok", "failed": "bad", "stuck": "warn"}


def link(job: Job, *, style: str = "badge") -> str:
    """The path of the badge, or of the bar."""
    return badge_links.links(job, at=str)[style]  # type: ignore[literal-required]


def look(path: str, *, status: int = 200, **headers: str) -> Any:
    """Load an address without an account."""
    response = Client().get(path, headers=headers)
    assert response.status_code == status
    return response


def image(path: str, *, status: int = 200) -> ElementTree.Element:
    """The image, which has to be well-formed."""
    response = look(path, status=status)
    assert response.headers["Content-Type"] == "image/svg+xml"
    return ElementTree.fromstring(response.content)


def title(path: str, *, status: int = 200) -> str:
    """Return the text alternative of the image."""
    return image(path, status=status).findtext(f"{SVG}title", "")


def texts(path: str, *, status: int = 200) -> list[str]:
    """Return the texts of the image."""
    return ["".join(text.itertext()) for text in image(path, status=status).iter(f"{SVG}text")]


@pytest.mark.parametrize("style", ["badge", "bar"])
@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("pending", "Pending 0 %"),
        ("processing", "Running 33 %"),
        ("paused", "Paused 33 %"),
        ("completed", "Completed 100 %"),
        ("failed", "Failed 66 %"),
        ("cancelled", "Cancelled 33 %"),
    ],
)
def test_it_shows_name_status_and_percent_as_the_pages_do(style: str, status: str, word: str) -> None:
    job = job_in(status)
    assert texts(link(job, style=style)) == [job.name, word]
    assert image(link(job, style=style)).attrib["role"] == "img"


def test_its_title_says_the_same_in_a_sentence() -> None:
    job = make_job(name="batch", items=10, done=5, failed=1, threshold=90)
    said = "batch: Running, 50 % done, 10 % failed, completes at 90 %"
    assert [title(link(job, style=style)) for style in ("badge", "bar")] == [said, said]


def test_a_stuck_or_partial_job_says_so() -> None:
    stuck, partial = make_job(items=4, done=1), make_job(items=4, done=3, failed=1)
    Job.objects.filter(pk=stuck.pk).update(stuck="silent", stuck_since=timezone.now())
    assert texts(link(stuck))[1] == "Stuck 25 %"
    assert texts(link(partial))[1] == "Completed, partial 75 %"


def test_without_a_total_there_is_no_percent() -> None:
    job = make_job()
    assert texts(link(job))[1] == "Pending ? %"
    assert title(link(job)).endswith("total unknown")


def test_the_bar_has_what_is_done_what_failed_and_where_it_completes() -> None:
    job = make_job(items=10, done=5, failed=1, threshold=90)
    track, done, lost = image(link(job, style="bar")).findall(f"{SVG}svg/{SVG}rect")
    assert (track.attrib["width"], done.attrib["width"]) == ("100%", "50%")
    assert (lost.attrib["x"], lost.attrib["width"]) == ("50%", "10%")
    assert [line.attrib["x1"] for line in image(link(job, style="bar")).iter(f"{SVG}line")] == ["90%"]


def test_its_colours_are_the_light_ones_of_the_pages() -> None:
    light = COLOURS_CSS.read_text().partition("@media")[0]
    named = dict(re.findall(r"--([\w-]+): (#\w+);", light))
    for code, name in [*MEANINGS.items(), ("", "quiet")]:
        colours = COLOURS.get(code, QUIET)
        assert (colours.ink, colours.ground) == (named[name], named[f"{name}-ground"]), code
    assert SOLID.ground == named["bad-solid"]


# --- what workers write ------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["badge", "bar"])
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('"><script>alert(1)</script>&x', '"><script>alert(1)</script>&x'),
        ("a\x01b\x1b[0m\ufffe", "a\ufffdb\ufffd[0m\ufffd"),
        ("\u5716\u50cf\U0001f600", "\u5716\u50cf\U0001f600"),
        ("x" * 200, "x" * 39 + "…"),
    ],
)
def test_a_name_is_text_whatever_it_holds(style: str, name: str, shown: str) -> None:
    job = make_job(name=name, items=1)
    assert texts(link(job, style=style))[0] == shown
    assert b"<script" not in look(link(job, style=style)).content


# --- the link ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda signed: signed[:-1] + ("A" if signed[-1] != "A" else "B"),
        lambda signed: "9" + signed,
        lambda signed: signed.partition(".")[0],
        lambda signed: "x",
        lambda signed: "%00",
        lambda signed: "é" * 300,
    ],
)
def test_a_link_that_is_not_ours_shows_unknown(change: Any) -> None:
    signed = link(make_job()).removeprefix("/badge/").removesuffix(".svg")
    assert texts(f"/badge/{change(signed)}.svg", status=404) == ["badge", "Unknown"]


@pytest.mark.parametrize("salt", ["", "django.core.signing", "jobs.other"])
def test_what_was_signed_for_another_purpose_opens_nothing(salt: str) -> None:
    signed = Signer(salt=salt or None, sep=".").sign(f"{make_job().pk}-0")
    assert look(f"/badge/{signed}.svg", status=404)


def test_renewed_links_end_those_before_and_those_of_no_other_job() -> None:
    job, other = make_job(), make_job()
    old = link(job)
    operations.renew_badge(job, actor=None, reason="it leaked")
    job.refresh_from_db()
    look(old, status=404)
    look(link(job))
    look(link(other))


def test_another_secret_key_ends_every_link(settings: Any) -> None:
    old = link(make_job())
    settings.SECRET_KEY = "another-key-of-0123456789-0123456789-abcdef"
    look(old, status=404)


def test_the_link_of_a_job_that_is_gone_shows_unknown() -> None:
    job = make_job()
    path = link(job)
    job.delete()
    look(path, status=404)


# --- caches ------------------------------------------------------------------------------------------


def test_it_is_asked_for_again_and_sent_again_when_the_revision_moved(django_assert_num_queries: Any) -> None:
    job = make_job(items=2)
    first = look(link(job))
    assert (first.headers["Cache-Control"], first.headers["ETag"]) == ("no-cache", f'"{job.revision}"')
    with django_assert_num_queries(1):
        unchanged = look(link(job), status=304, If_None_Match=first.headers["ETag"])
    assert (unchanged.content, unchanged.headers["ETag"]) == (b"", first.headers["ETag"])
    complete(phase_of(job), 1)
    assert look(link(job), If_None_Match=first.headers["ETag"]).headers["ETag"] != first.headers["ETag"]


def test_it_costs_as_many_queries_for_many_items_as_for_few(django_assert_num_queries: Any) -> None:
    for items in (2, 200):
        path = link(make_job(items=items, done=1))
        with django_assert_num_queries(4):
            look(path)


@pytest.mark.parametrize("path", [lambda: link(make_job()), lambda: "/badge/x.svg"])
def test_it_may_load_and_run_nothing_and_sets_no_cookie(path: Any) -> None:
    response = Client().get(path())
    policy = response.headers["Content-Security-Policy"]
    assert sorted(policy.split("; ")) == ["default-src 'none'", "frame-ancestors 'none'"]
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert not response.cookies
    assert not re.search(rb"<script|<style|style=|\son\w+=|href=", response.content)


def test_it_is_only_looked_at() -> None:
    assert Client().post(link(make_job())).status_code == 405


# --- the page ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "shown"), [("viewer", False), ("operator", True), ("lead", True)])
def test_who_may_give_out_links_finds_both_on_the_page_of_the_job(browser: Any, role: str, shown: bool) -> None:
    job = make_job(items=1)
    fields = [node.attributes for node in browser(role).open(address(job)).root.find("input") if node.is_like({})]
    values = [field["value"] for field in fields if "readonly" in field]
    assert values == ([f"http://testserver{link(job, style=style)}" for style in ("badge", "bar")] if shown else [])


def renewal(job: Job) -> str:
    """The page that asks before the links are renewed."""
    return f"/admin/jobs/job/{job.pk}/badge/"


def test_a_lead_renews_the_links_and_the_old_ones_end(browser: Any) -> None:
    job, lead = make_job(items=1), browser("lead")
    page = lead.open(f"/admin/jobs/job/{job.pk}/")
    old = link(job)
    look(old)
    place = page.links()["Renew the links…"]
    assert "They stop working: pages that embed them show no image." in lead.open(place).text
    confirmed = lead.confirm(place, reason="it leaked")
    assert confirmed.messages == [f"{job.name}: The badge has new links; the earlier ones show nothing."]
    look(old, status=404)
    event = job.events.get(type="operator.share")
    assert (event.account, event.reason) == (lead.account, "it leaked")


def test_links_that_somebody_has_renewed_meanwhile_stay(browser: Any) -> None:
    job, lead = make_job(items=1), browser("lead")
    asked = lead.open(renewal(job))
    operations.renew_badge(job, actor=None)
    confirmed = lead.confirm(renewal(job), page=asked)
    assert "The links were renewed since this page was loaded." in confirmed.messages[0]
    assert Job.objects.get(pk=job.pk).badge_series == job.badge_series + 1


def test_renewing_the_links_needs_its_permission(browser: Any) -> None:
    job, other = make_job(items=1), browser("viewer")
    assert "jobs.share_job" in other.open(renewal(job), status=403).text
    page = other.open(f"/admin/jobs/job/{job.pk}/")
    off = {node.text: node.attributes["title"] for node in page.root.find("span", cls="off")}
    assert "renew the links" in off["Renew the links…"]


def test_the_links_of_a_job_out_of_sight_are_not_renewed(browser: Any) -> None:
    job = make_job(items=1, project="b")
    browser("lead", projects=["a"]).open(renewal(job), status=404)
