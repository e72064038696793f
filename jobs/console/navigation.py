"""The navigation: one table of sections with their tabs, the menu, and the breadcrumbs made from both.

An entry whose page does not exist, or that the account may not open, is left out; so is an empty section.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from jobs.rules import pipelines

JOBS = "admin:jobs_job_changelist"


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the navigation.

    `page` names its URL, `query` is its query string, `any_of` are the permissions of which one is needed. The keys `g`
    and `key` lead there. `covers` are URL names or paths below the admin of other pages that belong to it.
    """

    label: str
    page: str
    any_of: tuple[str, ...] = ("jobs.view_job",)
    key: str = ""
    query: str = ""
    covers: tuple[str, ...] = ()
    url: str = ""
    is_current: bool = False

    @property
    def address(self) -> str:
        """The address with its query string."""
        return f"{self.url}?{self.query}" if self.query else self.url


@dataclass(frozen=True, slots=True)
class Section:
    """A place of the navigation, with its tabs; its own link is the first tab."""

    label: str
    tabs: tuple[Entry, ...]
    key: str = ""
    is_current: bool = False

    @property
    def address(self) -> str:
        """The address of the first tab."""
        return self.tabs[0].address


@dataclass(frozen=True, slots=True)
class Crumb:
    """A page above the present one; without an address it is a heading of the menu."""

    label: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Navigation:
    """The sections and the groups of the menu that the account may open, and the place of this page in them."""

    sections: Sequence[Section]
    menu: Sequence[Section]
    tabs: Sequence[Entry] = ()
    crumbs: Sequence[Crumb] = ()

    @property
    def is_in_menu(self) -> bool:
        """Whether this page belongs to the menu."""
        return any(group.is_current for group in self.menu)

    @property
    def lists(self) -> list[Entry]:
        """The tabs that are no section of their own."""
        return [tab for section in self.sections for tab in section.tabs[1:]]


def sections() -> list[Section]:
    """Return every section, with a tab for each registered kind that has a plural."""
    kinds = [_of_kind(kind) for kind in pipelines.listed()]
    return [
        Section(
            "Overview",
            (Entry("Overview", "admin:index", ()), Entry("Incidents", "admin:incidents", ("jobs.view_incident",), "x")),
            "o",
        ),
        Section(
            "Jobs",
            (
                Entry("All", JOBS, covers=("compare/",)),
                *kinds,
                Entry("Bulk actions", "admin:jobs_bulkact_changelist", ("jobs.view_bulkact",), "b", covers=("bulk/",)),
                Entry("Phases", "admin:jobs_phase_changelist", ("jobs.view_phase",), "p"),
                Entry("Items", "admin:jobs_item_changelist", ("jobs.view_item",), "i", covers=("jobs/attempt/",)),
            ),
            "j",
        ),
        Section("Errors", (Entry("Errors", "admin:errors"),), "e"),
        Section(
            "Workers",
            (
                Entry("Workers", "admin:jobs_worker_changelist", ("jobs.view_worker",)),
                Entry(
                    "Limits",
                    "admin:jobs_projectlimit_changelist",
                    ("jobs.view_projectlimit",),
                    "m",
                    covers=("limits/",),
                ),
            ),
            "w",
        ),
        Section(
            "Activity",
            (
                Entry("Activity", "admin:activity"),
                Entry("Events", "admin:jobs_event_changelist", ("jobs.view_event",), "v"),
            ),
            "y",
        ),
    ]


def menu() -> list[Section]:
    """Return every group of the menu."""
    return [
        Section(
            "Notifications",
            (
                Entry(
                    "Channels", "admin:jobs_channel_changelist", ("jobs.view_channel",), "h", covers=("jobs/channel/",)
                ),
                Entry("Messages", "admin:jobs_notification_changelist", ("jobs.view_notification",), "f"),
                Entry("Endpoints", "admin:jobs_endpoint_changelist", ("jobs.view_endpoint",), "n"),
                Entry(
                    "Deliveries", "admin:jobs_delivery_changelist", ("jobs.view_delivery",), "d", covers=("replay/",)
                ),
                Entry(
                    "Rejected messages",
                    "admin:jobs_inboxmessage_changelist",
                    ("jobs.view_inboxmessage",),
                    "l",
                    covers=("letters/",),
                ),
                Entry("Event formats", "admin:contracts", (), "c"),
            ),
        ),
        Section(
            "Access",
            (
                Entry("Tokens", "admin:knox_authtoken_changelist", ("jobs.manage_tokens",), "t", covers=("tokens/",)),
                Entry("Wall", "admin:wall-links", ("jobs.manage_wall_links",)),
                Entry("People", "admin:auth_user_changelist", ("auth.view_user", "auth.change_user")),
                Entry("Roles", "admin:auth_group_changelist", ("auth.view_group", "auth.change_group")),
                Entry(
                    "Memberships",
                    "admin:jobs_membership_changelist",
                    ("jobs.view_membership", "jobs.change_membership"),
                ),
            ),
        ),
        Section(
            "Reference",
            (
                Entry("API", "api-docs", (), "a"),
                Entry("Python client", "client", ()),
                Entry("Glossary", "admin:glossary", ()),
            ),
        ),
    ]


def account_entries(request: HttpRequest) -> list[Entry]:
    """Return the pages of the account itself."""
    pages = [Entry("Second factor", "mfa_index", ())]
    if request.user.is_authenticated and request.user.has_usable_password():
        pages.append(Entry("Change password", "admin:password_change", ()))
    return list(_resolved(pages, request))


def navigation_of(request: HttpRequest) -> Navigation:
    """Return the navigation of this account, with the entries that the page belongs to marked."""
    pages, groups = list(_opened(sections(), request)), list(_opened(menu(), request))
    place = _place(request, [*pages, *groups])
    if place is None:
        return Navigation(pages, groups, crumbs=[Crumb("Overview", reverse("admin:index"))])
    current = _marked(*place)
    has_tabs = place[0] in pages and request.path == place[1].url and len(current.tabs) > 1
    return Navigation(
        [current if each is place[0] else each for each in pages],
        [current if each is place[0] else each for each in groups],
        current.tabs if has_tabs else (),
        _crumbs(*place, is_list=request.path == place[1].url, is_page=place[0] in pages),
    )


def _crumbs(section: Section, tab: Entry, *, is_list: bool, is_page: bool) -> list[Crumb]:
    """Return the pages above this one; a group of the menu has no page of its own."""
    is_first = is_page and tab is section.tabs[0]
    above = [] if is_first and is_list else [Crumb(section.label, section.address if is_page else "")]
    return above if is_first or is_list else [*above, Crumb(tab.label, tab.address)]


def _of_kind(kind: pipelines.Kind) -> Entry:
    if kind.list_page:
        return Entry(kind.plural, kind.list_page, key=kind.key)
    return Entry(kind.plural, JOBS, key=kind.key, query=urlencode({"kind": kind.code}))


def _opened(every: Sequence[Section], request: HttpRequest) -> Iterator[Section]:
    for section in every:
        tabs = tuple(_resolved(section.tabs, request))
        if tabs:
            yield replace(section, tabs=tabs)


def _resolved(entries: Sequence[Entry], request: HttpRequest) -> Iterator[Entry]:
    for entry in entries:
        if entry.any_of and not any(request.user.has_perm(name) for name in entry.any_of):
            continue
        try:
            yield replace(entry, url=reverse(entry.page))
        except NoReverseMatch:
            continue


def _place(request: HttpRequest, every: Sequence[Section]) -> tuple[Section, Entry] | None:
    """Return the section and the tab of this page: those of the longest address that it begins with."""
    home = reverse("admin:index")
    found = [
        (len(prefix), _has_query(tab, request), section, tab)
        for section in every
        for tab in section.tabs
        for prefix in (tab.url, *(f"{home}{path}" for path in tab.covers))
        if request.path.startswith(prefix) and (prefix != home or request.path == home) and _fits(tab, request)
    ]
    if not found:
        return None
    *_, section, tab = max(found, key=lambda each: each[:2])
    return section, tab


def _fits(tab: Entry, request: HttpRequest) -> bool:
    return not tab.query or _has_query(tab, request)


def _has_query(tab: Entry, request: HttpRequest) -> bool:
    pair = tab.query.partition("=")
    return bool(tab.query) and request.path == tab.url and request.GET.get(pair[0]) == pair[2]


def _marked(section: Section, tab: Entry) -> Section:
    tabs = tuple(replace(each, is_current=each is tab) for each in section.tabs)
    return replace(section, tabs=tabs, is_current=True)
