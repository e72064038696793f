"""Saved views of lists."""

from __future__ import annotations

from typing import Any

from jobs.models import SavedView
from jobs.rules.limits import MOST_VIEWS
from tests.jobs.pages.test_lists import JOBS

SAVE = "/admin/views/save/"


def save(account: Any, name: str, **fields: str) -> Any:
    """Save a view of the list of jobs; return the response after the redirect."""
    data = {"list": "jobs_job", "name": name, "query": "status=failed", "back": JOBS, **fields}
    return account.client.post(SAVE, data, follow=True)


def shown(account: Any) -> list[str]:
    """Return the names of the views above the list of jobs."""
    return [a.text for nav in account.open(JOBS).root.find("nav", aria_label="Saved views") for a in nav.find("a")]


def test_a_view_is_saved_replaced_and_deleted(lead: Any) -> None:
    save(lead, "Failures", query="?status=failed&p=3")
    save(lead, " Failures ", query="columns=error&status=failed")
    [view] = SavedView.objects.all()
    assert (view.name, view.query) == ("Failures", "columns=error&status=failed")
    assert lead.open(JOBS).links()["Failures"] == "?columns=error&status=failed"
    lead.client.post(f"/admin/views/{view.pk}/delete/", {"back": JOBS})
    assert shown(lead) == []


def test_own_views_are_private_and_shared_ones_are_for_accounts_without_limits(browser: Any) -> None:
    lead, other, limited = browser("lead"), browser("viewer"), browser("lead", projects=["a"])
    save(lead, "mine")
    save(lead, "for all", shared="1")
    save(limited, "limited one", shared="1")
    assert shown(lead) == ["for all shared", "limited one shared", "mine"]
    assert shown(other) == ["for all shared", "limited one shared"]
    assert shown(limited) == ["limited one shared"]


def test_only_its_owner_deletes_a_view(browser: Any) -> None:
    lead, other = browser("lead"), browser("lead")
    save(lead, "for all", shared="1")
    address = f"/admin/views/{SavedView.objects.get().pk}/delete/"
    answer = other.client.post(address, {"back": JOBS}, follow=True)
    assert "it is not yours" in answer.content.decode()
    assert SavedView.objects.count() == 1


def test_a_wrong_view_is_refused_with_the_reason(browser: Any) -> None:
    viewer = browser("viewer")
    for name, fields, reason in (
        ("", {}, "Enter a name for the view."),
        ("x" * 81, {}, "Enter at most 80 characters."),
        ("long", {"query": "q=" + "x" * 2000}, "Use filters of at most 2000 characters."),
        ("tokens", {"list": "knox_authtoken"}, "There is no such list"),
        ("none", {"list": "jobs_nothing"}, "There is no such list"),
    ):
        assert reason in save(viewer, name, **fields).content.decode(), name
    assert not SavedView.objects.exists()


def test_the_number_of_views_is_limited(lead: Any) -> None:
    for number in range(MOST_VIEWS):
        save(lead, f"view {number}")
    assert "Delete one of your 50 views" in save(lead, "one more").content.decode()
    save(lead, "view 3", query="status=all")
    assert SavedView.objects.count() == MOST_VIEWS
