"""The wall and its links."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Activity, Job, Membership, SavedView, WallLink
from jobs.operations.wall_links import give_wall_link, revoke_wall_link
from tests.factories import make_job
from tests.jobs.pages.page_parser import Page

LINKS = "/admin/wall-links/"


def give(account: Any, **fields: Any) -> tuple[WallLink, str]:
    """A link and its address."""
    link, secret = give_wall_link("Office", **{"view": None, "days": 90, "by": account, **fields})
    return link, f"/wall/{secret}/"


def test_a_lead_gives_a_link_and_its_address_is_shown_once(lead: Any) -> None:
    make_job(name="runs", items=5, done=1)
    page = lead.confirm(LINKS, label="Office", days="90")
    [address] = page.root.find(id="secret")
    assert address.text not in lead.open(LINKS).text
    wall = Page(Client().get(address.text.replace("http://testserver", "")))
    assert "runs" in wall.section("running")
    assert WallLink.objects.get().last_used_at is not None
    assert address.text.split("/")[-2] not in str(WallLink.objects.values())


def test_the_wall_has_no_link_no_button_and_no_form(lead: Any) -> None:
    make_job(name="failed", items=5, done=1, failed=4, on_shortfall="fail")
    make_job(name="runs", items=5, done=1)
    _, address = give(lead.account)
    for page in (Page(Client().get(address)), lead.open("/admin/?wall")):
        tags = {node.tag for node in page.root.find(id="container")[0].walk()}
        links = [node.attributes["href"] for node in page.root.find("a")]
        assert not tags & {"form", "button", "input"}
        assert [each for each in links if not each.startswith("#")] == []


def test_a_link_takes_no_post_and_opens_nothing_else(lead: Any) -> None:
    _, address = give(lead.account)
    client = Client()
    assert client.get(address).status_code == 200
    assert client.post(address).status_code == 405
    assert client.get("/admin/").status_code == 302
    assert client.get("/api/v1/jobs").status_code == 401
    assert not client.cookies


@pytest.mark.parametrize("end", ["revoked", "expired", "inactive", "no permission", "deleted"])
def test_a_link_ends_at_once(lead: Any, end: str) -> None:
    make_job(name="runs", items=5, done=1)
    link, address = give(lead.account)
    if end == "revoked":
        lead.client.post(f"{LINKS}{link.pk}/revoke/")
    elif end == "expired":
        WallLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif end == "inactive":
        lead.account.is_active = False
        lead.account.save()
    elif end == "no permission":
        lead.account.groups.clear()
    else:
        lead.account.delete()
    response = Client().get(address)
    assert response.status_code == 404
    assert b"runs" not in response.content


def test_a_link_shows_what_its_account_sees_now(lead: Any) -> None:
    make_job(name="ours", items=5, done=1, project="a")
    make_job(name="theirs", items=5, done=1, project="b")
    _, address = give(lead.account)
    assert b"theirs" in Client().get(address).content
    Membership.objects.create(user=lead.account, project="a")
    shown = Client().get(address).content
    assert b"ours" in shown
    assert b"theirs" not in shown


def test_a_saved_view_is_shown_with_its_filters(lead: Any) -> None:
    make_job(name="alpha", items=5, done=1)
    make_job(name="beta", items=5, done=1)
    view = SavedView.objects.create(
        account=lead.account, list_name="jobs_job", name="Alphas", query="q=alpha", created_at=timezone.now()
    )
    _, address = give(lead.account, view=view)
    for shown in (Client().get(address).content, lead.client.get(f"/admin/?wall={view.pk}").content):
        assert b"alpha" in shown
        assert b"beta" not in shown


def test_links_are_managed_by_leads_and_limited_ones_see_their_own(browser: Any) -> None:
    link, _ = give(browser("lead").account)
    assert "jobs.manage_wall_links" in browser("operator").open(LINKS, status=403).text
    limited = browser("lead", projects=["a"])
    assert "Office" not in limited.open(LINKS).text
    limited.client.post(f"{LINKS}{link.pk}/revoke/")
    assert WallLink.objects.get().revoked_at is None


def test_giving_and_revoking_are_in_the_activity_once(lead: Any) -> None:
    link, _ = give(lead.account)
    revoke_wall_link(link.pk, by=lead.account)
    revoke_wall_link(link.pk, by=lead.account)
    rows = Activity.objects.filter(about="wall link").order_by("id")
    assert [(row.act, row.target, row.actor) for row in rows] == [
        (act, "Office", lead.account.username) for act in ("give", "revoke")
    ]


@pytest.mark.parametrize("many", [1, 8])
def test_the_number_of_queries_of_the_wall_does_not_grow(
    lead: Any, django_assert_max_num_queries: Any, many: int
) -> None:
    for _ in range(many):
        make_job(items=5, done=1)
        make_job(items=2, done=1, failed=1, on_shortfall="fail")
    _, address = give(lead.account)
    with django_assert_max_num_queries(40):
        assert Client().get(address).status_code == 200
    assert Job.objects.count() == 2 * many
