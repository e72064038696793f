"""The acts in the menu of a list: on the selected rows, or on all rows that the filters match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs.console.acts.selection import ListMatch
from jobs.operations.base import Operation
from jobs.operations.registry import ACTS

COMPARE_AT = 4
Action = Callable[[admin.ModelAdmin, HttpRequest, QuerySet[Any]], HttpResponse]


class ActionMixin:
    """The acts of a list whose rows are jobs or items, or belong to one.

    job_path     the path from a row to the id of the job
    item_path    the path to the id of the item; empty where the acts are on whole jobs
    rows_are     the noun for the rows in the menu
    narrowed_to  the phase that limits an act, by the name of the act
    """

    job_path = "pk"
    item_path = ""
    rows_are = "jobs"
    narrowed_to: dict[str, str] = {}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the acts that this account may do."""
        offered = [act for act in self.offered_acts() if request.user.has_perm(act.permission)]
        acts = [(act.verb, (_action(act), act.verb, f"{act.label} {self.called(act)}…")) for act in offered]
        if not self.item_path and request.user.has_perm("jobs.view_job"):
            acts.insert(COMPARE_AT, ("compare", (compare_two, "compare", "Compare two…")))
        return dict(acts)

    def is_grave(self, name: str) -> bool:
        """Return whether the button of an act is marked as dangerous."""
        return any(act.ends_job for act in ACTS.values() if act.verb == name)

    def action_label(self, name: str, description: str) -> str:
        """Return the label of the act, with its object only where that differs from the rows."""
        return description.replace(f" {self.rows_are}…", "…")

    def offered_acts(self) -> list[Operation]:
        """Return the registered acts that fit the rows: those on items, or those on whole jobs."""
        return [act for act in ACTS.values() if (act.item_label if self.item_path else act.on_whole_job)]

    def called(self, act: Operation) -> str:
        """Return the object of the act in the menu."""
        return self.rows_are

    def matched(self, request: HttpRequest) -> ListMatch:
        """Return every row that the filters and the search match, with the filters in words."""
        shown = self.get_changelist_instance(request)  # type: ignore[attr-defined]
        return ListMatch(in_words(request, shown), shown.queryset, self.job_path, self.item_path)


def compare_two(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
    """Open the page that compares two selected jobs; the older one is the first."""
    ids = list(queryset.order_by("pk").values_list(model_admin.job_path, flat=True)[:3])
    if len(ids) != 2:
        messages.error(request, "Select exactly two jobs to compare them.")
        return HttpResponseRedirect(request.get_full_path())
    return HttpResponseRedirect(f"{reverse('admin:compare')}?{urlencode({'job': ids}, doseq=True)}")


def in_words(request: HttpRequest, shown: ChangeList) -> str:
    """Describe the filters of a list: `jobs: status Failed, kind OCR documents, matching “matter”`."""
    parts = [f"{spec.title} {value}" for spec in shown.filter_specs if (value := _value_of(spec, shown))]
    if shown.query:
        parts.append(f"matching “{shown.query}”")
    name = str(shown.opts.verbose_name_plural)
    return f"{name}: {', '.join(parts)}" if parts else f"all {name}"


def _value_of(spec: Any, shown: ChangeList) -> str:
    """Return the value of a filter; empty where it does not narrow the list."""
    selected = [str(choice["display"]) for choice in spec.choices(shown) if choice["selected"]]
    if selected:
        return "" if selected[0] == "All" else selected[0]
    return str(spec.value() or "") if hasattr(spec, "value") else ""


def _action(act: Operation) -> Action:
    def open_confirmation(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        if request.POST.get("select_across") == "1":
            query: dict[str, Any] = {"match": f"{model_admin.opts.app_label}_{model_admin.opts.model_name}"}
            query["query"] = request.GET.urlencode()
        else:
            query = _selected(model_admin, queryset)
        if act.name in model_admin.narrowed_to:
            query["phase"] = model_admin.narrowed_to[act.name]
        query["back"] = request.get_full_path()
        return HttpResponseRedirect(
            f"{reverse('admin:jobs-act', kwargs={'slug': act.name})}?{urlencode(query, doseq=True)}"
        )

    return open_confirmation


def _selected(model_admin: Any, queryset: QuerySet[Any]) -> dict[str, Any]:
    """Return the selected rows, at most as many as one page shows."""
    job, item = model_admin.job_path, model_admin.item_path
    rows = list(queryset.order_by("-pk").values_list(job, item or job)[: model_admin.list_max_show_all])
    query: dict[str, Any] = {"job": sorted({job_id for job_id, _ in rows}, reverse=True)}
    return {**query, "item": sorted(item_id for _, item_id in rows)} if item else query


def confirm_selected(request: HttpRequest, ids: QuerySet[Any, Any], *, most: int, page: str, name: str) -> HttpResponse:
    """Redirect to the confirmation page of an act on the selected rows; refuse more than `most`."""
    selected = list(ids[: most + 1])
    if len(selected) > most:
        messages.error(request, f"Select at most {most} rows at once.")
        return HttpResponseRedirect(request.get_full_path())
    query = urlencode({name: selected, "back": request.get_full_path()}, doseq=True)
    return HttpResponseRedirect(f"{reverse(page)}?{query}")
