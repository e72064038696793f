"""The navigation: sections, tabs, menu and breadcrumbs of an account."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.console import navigation
from jobs.console.navigation import Entry, Section
from tests.factories import make_job


def site_links(page: Any) -> list[str]:
    """Return the links of the navigation of sections."""
    [nav] = page.root.find("nav", aria_label="Site")
    return [link.text for link in nav.find("a")]


def current(page: Any, label: str) -> list[str]:
    """Return the marked links of a navigation."""
    links = [link for nav in page.root.find("nav", aria_label=label) for link in nav.find("a")]
    return [link.text for link in links if "aria-current" in link.attributes]


def test_the_sections_and_the_menu_hold_only_what_the_account_may_open(browser: Any) -> None:
    viewer = browser("viewer").open("/admin/")
    assert site_links(viewer) == ["Overview", "Jobs", "Errors", "Workers", "Activity"]
    assert {"Endpoints", "Deliveries", "Rejected messages", "Event formats"} <= set(viewer.links())
    assert not {"Tokens", "People", "Roles"} & set(viewer.links())
    assert "Tokens" in browser("lead").open("/admin/").links()
    assert site_links(browser("").open("/admin/")) == ["Overview"]


def test_an_entry_without_a_page_is_left_out(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    section = Section("Later", (Entry("Not yet", "admin:no-such-page"), Entry("Jobs too", navigation.JOBS)))
    monkeypatch.setattr(navigation, "sections", lambda: [section, Section("Empty", section.tabs[:1])])
    assert site_links(browser("viewer").open("/admin/")) == ["Later"]


@pytest.mark.parametrize(
    ("address", "section", "tab"),
    [
        ("/admin/jobs/job/", "Jobs", "All"),
        ("/admin/jobs/job/?kind=vision", "Jobs", "Vision"),
        ("/admin/ocr_chunks/document/", "Jobs", "Documents"),
        ("/admin/jobs/bulkact/", "Jobs", "Bulk actions"),
        ("/admin/jobs/projectlimit/", "Workers", "Limits"),
    ],
)
def test_a_list_marks_its_section_and_its_tab(lead: Any, address: str, section: str, tab: str) -> None:
    page = lead.open(address)
    assert current(page, "Site") == [section]
    assert current(page, "Tabs") == [tab]


def test_a_page_below_a_list_has_the_way_to_it(lead: Any) -> None:
    job = make_job(name="runs", items=1)
    page = lead.open(f"/admin/jobs/job/{job.pk}/")
    [crumbs] = page.root.find("nav", aria_label="Breadcrumbs")
    assert [link.attributes["href"] for link in crumbs.find("a")] == ["/admin/jobs/job/"]
    assert [each.text for each in crumbs.find(aria_current="page")] == ["runs"]
    endpoints = lead.open("/admin/jobs/endpoint/add/").root.find("nav", aria_label="Breadcrumbs")[0]
    assert [link.text for link in endpoints.find("a")] == ["Endpoints"]


def test_the_label_of_the_installation_stands_beside_its_name(lead: Any, settings: Any) -> None:
    assert lead.open("/admin/").root.find(cls="environment") == []
    settings.ENVIRONMENT_LABEL = "staging"
    assert [each.text for each in lead.open("/admin/").root.find(cls="environment")] == ["staging"]
