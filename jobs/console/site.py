"""The admin site of the operator console: its pages beside the lists of the admin."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter, reverse

from jobs.console.activity.views import activity_page
from jobs.console.acts.confirm import ActView
from jobs.console.bulk.views import bulk_page, stop_bulk
from jobs.console.channels.acts import CHANNEL_ACTS, ChannelActView
from jobs.console.channels.views import add_channel, add_rule, change_channel, change_rule, channel_page
from jobs.console.compare.views import compare_page
from jobs.console.deliveries.dead_letters import LettersReplayView, letter_page
from jobs.console.deliveries.delivery_views import delivery_page
from jobs.console.deliveries.endpoint_acts import ENDPOINT_ACTS, EndpointActView
from jobs.console.deliveries.endpoint_views import add_endpoint, change_endpoint, endpoint_page
from jobs.console.deliveries.event_formats import contracts_page
from jobs.console.deliveries.replay import ReplayView
from jobs.console.errors.views import errors_page
from jobs.console.glossary.views import glossary_page
from jobs.console.incidents.act_view import IncidentActView
from jobs.console.incidents.views import incident_page, incidents_page
from jobs.console.items.attempts import attempt_log
from jobs.console.items.views import item_page
from jobs.console.job.badge_views import BadgeRenewalView
from jobs.console.job.report import job_report
from jobs.console.job.views import job_page
from jobs.console.limits.views import limit_project
from jobs.console.overview.views import overview_page
from jobs.console.saved_views.views import delete_list_view, save_list_view
from jobs.console.search.views import search_page, search_results
from jobs.console.tokens.views import RevokeTokensView, RotateTokenView, issue_token
from jobs.console.wall.links import revoke_link, wall_links
from jobs.console.wall.views import wall_page
from jobs.console.workers.free import FreeWorkerView
from jobs.console.workers.views import worker_page
from jobs.operations import INCIDENT_ACTS
from jobs.operations.registry import ACTS

JOB = r"^jobs/job/(?P<job_id>[0-9]{1,18})/"
ENDPOINT = r"^jobs/endpoint/(?P<endpoint_id>[0-9]{1,18})/"
LETTER = r"^jobs/inboxmessage/(?P<letter_id>[0-9]{1,18})/"
BULK = r"^bulk/(?P<bulk_id>[0-9]{1,18})/"
WORKER = r"^jobs/worker/(?P<worker_id>[0-9]{1,18})/"
CHANNEL = r"^jobs/channel/(?P<channel_id>[0-9]{1,18})/"
CHANNEL_ACT = f"(?P<slug>{'|'.join(CHANNEL_ACTS)})/$"
ENDPOINT_ACT = f"(?P<slug>{'|'.join(ENDPOINT_ACTS)})/$"

Page = Callable[..., HttpResponse]


class RowConverter:
    """The id of a row in an address."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        """Return the id."""
        return int(value)

    def to_url(self, value: int | str) -> str:
        """Return the id as an address has it."""
        return str(value)


class ActConverter:
    """The name of a registered act in an address; another word is not found."""

    regex = "[a-z][a-z-]*"

    def to_python(self, value: str) -> str:
        """Return the name; ValueError (no match) where no such act is registered."""
        if value not in ACTS:
            raise ValueError(f"There is no act {value!r}.")
        return value

    def to_url(self, value: str) -> str:
        """Return the name; ValueError where no such act is registered."""
        return self.to_python(value)


class IncidentActConverter:
    """The name of an act on incidents in an address."""

    regex = "|".join(INCIDENT_ACTS)

    def to_python(self, value: str) -> str:
        """Return the name."""
        return value

    def to_url(self, value: str) -> str:
        """Return the name."""
        return value


register_converter(RowConverter, "row")
register_converter(IncidentActConverter, "incident_act")
register_converter(ActConverter, "act")


class OperatorSite(AdminSite):
    """The site of operators, who are staff users."""

    site_header = site_title = "Progress Site"
    index_title = "Overview"
    site_url = None
    enable_nav_sidebar = False

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return the pages of the console, then those of the plain admin."""
        return [
            re_path(f"{JOB}$", self._page(job_page), name="job-page"),
            re_path(f"{JOB}report/$", self._page(job_report), name="job-report"),
            re_path(f"{JOB}badge/$", self._page(BadgeRenewalView.as_page()), name="badge-renew"),
            path("jobs/job/<row:job_id>/<act:slug>/", self._page(ActView.as_page()), name="job-act"),
            path("jobs/job/act/<act:slug>/", self._page(ActView.as_page()), name="jobs-act"),
            re_path(r"^jobs/delivery/(?P<delivery_id>[0-9]{1,18})/$", self._page(delivery_page), name="delivery-page"),
            path("jobs/endpoint/add/", self._page(add_endpoint), name="endpoint-add"),
            re_path(f"{ENDPOINT}$", self._page(endpoint_page), name="endpoint-page"),
            re_path(f"{ENDPOINT}edit/$", self._page(change_endpoint), name="endpoint-change"),
            re_path(f"{ENDPOINT}{ENDPOINT_ACT}", self._page(EndpointActView.as_page()), name="endpoint-act"),
            path("jobs/channel/add/", self._page(add_channel), name="channel-add"),
            path("jobs/channel/<row:channel_id>/", self._page(channel_page), name="channel-page"),
            path("jobs/channel/<row:channel_id>/edit/", self._page(change_channel), name="channel-change"),
            path("jobs/channel/<row:channel_id>/rules/add/", self._page(add_rule), name="rule-add"),
            path("jobs/notificationrule/<row:rule_id>/", self._page(change_rule), name="rule-change"),
            re_path(f"{CHANNEL}{CHANNEL_ACT}", self._page(ChannelActView.as_page()), name="channel-act"),
            re_path(f"{WORKER}$", self._page(worker_page), name="worker-page"),
            re_path(f"{WORKER}free/$", self._page(FreeWorkerView.as_page()), name="worker-free"),
            re_path(f"{LETTER}$", self._page(letter_page), name="letter-page"),
            path("letters/replay/", self._page(LettersReplayView.as_page()), name="letters-replay"),
            path("incidents/", self._page(incidents_page), name="incidents"),
            path("incidents/<row:incident_id>/", self._page(incident_page), name="incident-page"),
            path(
                "incidents/<row:incident_id>/<incident_act:slug>/",
                self._page(IncidentActView.as_page()),
                name="incident-act",
            ),
            path("incidents/act/<incident_act:slug>/", self._page(IncidentActView.as_page()), name="incidents-act"),
            path("errors/", self._page(errors_page), name="errors"),
            path("errors/", include("jobs.console.admin.errors")),
            re_path(f"{BULK}$", self._page(bulk_page), name="bulk-page"),
            re_path(f"{BULK}stop/$", self._page(stop_bulk), name="bulk-stop"),
            re_path(r"^jobs/item/(?P<item_id>[0-9]{1,18})/change/$", self._page(item_page), name="item-page"),
            re_path(r"^jobs/attempt/(?P<attempt_id>[0-9]{1,18})/log/$", self._page(attempt_log), name="attempt-log"),
            path("activity/", self._page(activity_page), name="activity"),
            path("activity/", include("jobs.console.admin.activity")),
            path("glossary/", self._page(glossary_page), name="glossary"),
            path("search/", self._page(search_page), name="search"),
            path("search/results/", self._page(search_results), name="search-results"),
            path("compare/", self._page(compare_page), name="compare"),
            path("views/save/", self._page(save_list_view), name="view-save"),
            path("views/<row:view_id>/delete/", self._page(delete_list_view), name="view-delete"),
            path("wall-links/", self._page(wall_links), name="wall-links"),
            path("wall-links/<row:link_id>/revoke/", self._page(revoke_link), name="wall-link-revoke"),
            path("limits/project/", self._page(limit_project), name="project-limit"),
            path("contracts/", self._page(contracts_page), name="contracts"),
            path("replay/", self._page(ReplayView.as_page()), name="replay"),
            path("tokens/issue/", self._page(issue_token), name="token-issue"),
            path("tokens/rotate/", self._page(RotateTokenView.as_page()), name="token-rotate"),
            path("tokens/revoke/", self._page(RevokeTokensView.as_page()), name="tokens-revoke"),
            # "View on site" would tell which rows of every model exist, whatever the account may see.
            *(each for each in super().get_urls() if getattr(each, "name", "") != "view_on_site"),
        ]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Wrap a view for staff; run it again after a race for a unique name."""
        return super().admin_view(_retry_on_integrity_error(view), cacheable)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the apps, with plain names for those of libraries."""
        listed = super().get_app_list(request, app_label)
        for app in listed:
            app["name"] = {"knox": "Access"}.get(app["app_label"], app["name"])
            for model in app["models"]:
                model["name"] = {"InboxMessage": "Rejected messages", "AuthToken": "Tokens"}.get(
                    model["object_name"], model["name"]
                )
        return listed

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        """Show the overview; with `?wall` for a screen on the wall."""
        return wall_page(request) if "wall" in request.GET else overview_page(request, self)

    def app_index(  # type: ignore[override]
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to the overview, which has the models of every app; 404 for an app that does not exist."""
        if app_label not in {config.label for config in apps.get_app_configs()}:
            raise Http404(f"There is no app {app_label!r}.")
        return HttpResponseRedirect(reverse("admin:index"))

    def _page(self, view: Page) -> Page:
        def page(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            return view(request, self, **kwargs)

        return self.admin_view(page)


def _retry_on_integrity_error(view: Page) -> Page:
    """Run the view again after an IntegrityError; the transaction was rolled back.

    Another request stored the same unique name after the validation of the form. The second validation finds it.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except IntegrityError:
            return view(request, *args, **kwargs)

    return wrapped
