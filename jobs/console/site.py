"""The admin site: the overview is its first page, and jobs have pages and acts of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, re_path

from jobs.console.acts.confirm import confirm_many, confirm_one
from jobs.console.bulk.views import bulk_page, stop_bulk
from jobs.console.deliveries.dead_letters import confirm_letters, letter_page
from jobs.console.deliveries.delivery_views import delivery_page
from jobs.console.deliveries.endpoint_acts import ENDPOINT_ACTS, endpoint_act
from jobs.console.deliveries.endpoint_views import add_endpoint, change_endpoint, endpoint_page
from jobs.console.deliveries.event_formats import contracts_page
from jobs.console.deliveries.replay import confirm_replay
from jobs.console.errors.views import errors_page
from jobs.console.glossary.views import glossary_page
from jobs.console.items.views import item_page
from jobs.console.job.badge_views import renew_badge
from jobs.console.job.views import job_page
from jobs.console.overview.views import overview_page
from jobs.console.tokens.views import issue_token, revoke_tokens, rotate_token
from jobs.console.workers.views import worker_page
from jobs.operations.registry import ACTS

JOB = r"^jobs/job/(?P<job_id>[0-9]{1,18})/"
ACT = f"(?P<slug>{'|'.join(ACTS)})/$"
ENDPOINT = r"^jobs/endpoint/(?P<endpoint_id>[0-9]{1,18})/"
DELIVERY = r"^jobs/delivery/(?P<delivery_id>[0-9]{1,18})/"
LETTER = r"^jobs/inboxmessage/(?P<letter_id>[0-9]{1,18})/"
BULK = r"^bulk/(?P<bulk_id>[0-9]{1,18})/"
WORKER = r"^jobs/worker/(?P<worker_id>[0-9]{1,18})/"
ENDPOINT_ACT = f"(?P<slug>{'|'.join(ENDPOINT_ACTS)})/$"

Page = Callable[..., HttpResponse]


class OperatorSite(AdminSite):
    """The pages of operators; whoever signs in here is a staff user."""

    site_header = site_title = "Progress Site"
    index_title = "Overview"
    site_url = None
    enable_nav_sidebar = False

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The operators' pages before those of the plain admin."""
        return [
            re_path(f"{JOB}$", self._page(job_page), name="job-page"),
            re_path(f"{JOB}badge/$", self._page(renew_badge), name="badge-renew"),
            re_path(f"{JOB}{ACT}", self._page(confirm_one), name="job-act"),
            re_path(f"^jobs/job/act/{ACT}", self._page(confirm_many), name="jobs-act"),
            re_path(r"^jobs/delivery/(?P<delivery_id>[0-9]{1,18})/$", self._page(delivery_page), name="delivery-page"),
            path("jobs/endpoint/add/", self._page(add_endpoint), name="endpoint-add"),
            re_path(f"{ENDPOINT}$", self._page(endpoint_page), name="endpoint-page"),
            re_path(f"{ENDPOINT}edit/$", self._page(change_endpoint), name="endpoint-change"),
            re_path(f"{ENDPOINT}{ENDPOINT_ACT}", self._page(endpoint_act), name="endpoint-act"),
            re_path(f"{WORKER}$", self._page(worker_page), name="worker-page"),
            re_path(f"{LETTER}$", self._page(letter_page), name="letter-page"),
            path("letters/replay/", self._page(confirm_letters), name="letters-replay"),
            path("errors/", self._page(errors_page), name="errors"),
            path("errors/", include("jobs.console.admin.errors")),
            re_path(f"{BULK}$", self._page(bulk_page), name="bulk-page"),
            re_path(f"{BULK}stop/$", self._page(stop_bulk), name="bulk-stop"),
            re_path(r"^jobs/item/(?P<item_id>[0-9]{1,18})/change/$", self._page(item_page), name="item-page"),
            path("glossary/", self._page(glossary_page), name="glossary"),
            path("contracts/", self._page(contracts_page), name="contracts"),
            path("replay/", self._page(confirm_replay), name="replay"),
            path("tokens/issue/", self._page(issue_token), name="token-issue"),
            path("tokens/rotate/", self._page(rotate_token), name="token-rotate"),
            path("tokens/revoke/", self._page(revoke_tokens), name="tokens-revoke"),
            *super().get_urls(),
        ]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """A view for staff; a form that lost a race for a unique name is checked again."""
        return super().admin_view(_checked_again(view), cacheable)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The apps; what has a name from the code is called by what it holds."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["name"] = {"knox": "Access"}.get(app["app_label"], app["name"])
            for model in app["models"]:
                model["name"] = {"InboxMessage": "Dead letters", "AuthToken": "Tokens"}.get(
                    model["object_name"], model["name"]
                )
        return apps

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The overview."""
        return overview_page(request, self)

    def _page(self, view: Page) -> Page:
        def page(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            return view(request, self, **kwargs)

        return self.admin_view(page)


def _checked_again(view: Page) -> Page:
    """Call the view once more after an IntegrityError, which has undone everything.

    Another request has stored the same name after the form was checked. Now the check sees it and says so.
    """

    @wraps(view)
    def checked_again(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except IntegrityError:
            return view(request, *args, **kwargs)

    return checked_again
