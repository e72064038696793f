"""The acts that a list offers on its rows: on the ticked ones, or on all that its filters match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs.console.acts.selection import ListMatch
from jobs.operations.base import Operation
from jobs.operations.registry import ACTS

Action = Callable[[admin.ModelAdmin, HttpRequest, QuerySet[Any]], HttpResponse]


class ActsOnRows:
    """For a list whose rows are jobs or items, or stand for one: `job_path` is the way to the job's id, `item_path`
    to the item's, empty where the rows are about jobs as a whole.

    `rows_are` is what the menu calls the rows; `narrowed_to` narrows an act to a phase.
    """

    job_path = "pk"
    item_path = ""
    rows_are = "jobs"
    narrowed_to: dict[str, str] = {}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The acts that this account may do, for the list's menu."""
        offered = [act for act in self.offered_acts() if request.user.has_perm(act.permission)]
        return {act.verb: (_ask(act), act.verb, f"{act.label} {self.called(act)}…") for act in offered}

    def offered_acts(self) -> list[Operation]:
        """Return the registered acts that fit the rows: those on items, or those on whole jobs."""
        return [act for act in ACTS.values() if (act.item_label if self.item_path else act.on_whole_job)]

    def called(self, act: Operation) -> str:
        """What this act is done to, in the words of the menu."""
        return self.rows_are

    def matched(self, request: HttpRequest) -> ListMatch:
        """Everything that the filters and the search of the address match, and what they are in words."""
        shown = self.get_changelist_instance(request)  # type: ignore[attr-defined]
        return ListMatch(in_words(request, shown), shown.queryset, self.job_path, self.item_path)


def in_words(request: HttpRequest, shown: ChangeList) -> str:
    """The filters of a list as a sentence: `jobs: status Failed, kind OCR documents, matching “matter”`."""
    parts = [f"{spec.title} {said}" for spec in shown.filter_specs if (said := _said(spec, shown))]
    if shown.query:
        parts.append(f"matching “{shown.query}”")
    name = str(shown.opts.verbose_name_plural)
    return f"{name}: {', '.join(parts)}" if parts else f"all {name}"


def _said(spec: Any, shown: ChangeList) -> str:
    """What a filter is set to; empty where it lets everything through."""
    selected = [str(choice["display"]) for choice in spec.choices(shown) if choice["selected"]]
    if selected:
        return "" if selected[0] == "All" else selected[0]
    return str(spec.value() or "") if hasattr(spec, "value") else ""


def _ask(act: Operation) -> Action:
    def ask(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        if request.POST.get("select_across") == "1":
            which: dict[str, Any] = {"match": f"{model_admin.opts.app_label}_{model_admin.opts.model_name}"}
            which["query"] = request.GET.urlencode()
        else:
            which = _ticked(model_admin, queryset)
        if act.name in model_admin.narrowed_to:
            which["phase"] = model_admin.narrowed_to[act.name]
        which["back"] = request.get_full_path()
        return HttpResponseRedirect(
            f"{reverse('admin:jobs-act', kwargs={'slug': act.name})}?{urlencode(which, doseq=True)}"
        )

    return ask


def _ticked(model_admin: Any, queryset: QuerySet[Any]) -> dict[str, Any]:
    """The ticked rows, as many as a page of the list has at most."""
    job, item = model_admin.job_path, model_admin.item_path
    rows = list(queryset.order_by("-pk").values_list(job, item or job)[: model_admin.list_max_show_all])
    which: dict[str, Any] = {"job": sorted({job_id for job_id, _ in rows}, reverse=True)}
    return {**which, "item": sorted(item_id for _, item_id in rows)} if item else which
