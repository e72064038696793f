"""Template tags and filters of the console: pills, bars, buttons, times and numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

from jobs.console import navigation as site_navigation
from jobs.console import status_styles
from jobs.console.base import visible_projects
from jobs.console.items.attempts import retry_text
from jobs.console.job_rows import share_of
from jobs.console.moments import with_moments
from jobs.models import Channel, Item, Job, Phase, SavedView
from jobs.operations.buttons import ActButton
from jobs.rules import formatting, pipelines

CELL = re.compile("<(t[dh])")
EMPTY_CELL = re.compile(rf"<td[^>]*>(?:{formatting.DASH}|-|0|)</td>")

register = template.Library()
register.filter("num", formatting.format_number)
register.filter("span", formatting.format_duration)
register.filter("exact", formatting.format_datetime)


@register.filter
def status_style(body: Mapping[str, Any]) -> status_styles.StatusStyle:
    """Return the style of a job, phase or item body."""
    return status_styles.style(
        body["status"],
        stuck=body.get("stuck"),
        partial=body.get("partial", False),
        reworking=body.get("reworking", 0),
    )


@register.filter
def style_label(style: status_styles.StatusStyle) -> str:
    """Return the label of a style with its count."""
    return status_styles.label_of(style)


@register.filter
def style_code(body: Mapping[str, Any]) -> str:
    """Return the CSS class of a body's status."""
    return status_style(body).code


@register.filter
def page_of(body: Mapping[str, Any]) -> str:
    """Return the address of the page that shows this job."""
    return reverse(pipelines.page_of(body["kind"]), args=[body["id"]])


@register.simple_tag(takes_context=True)
def navigation(context: template.Context) -> site_navigation.Navigation:
    """Return the navigation of the account, with this page marked; made once for a page."""
    request = context["request"]
    if not hasattr(request, "site_navigation"):
        request.site_navigation = site_navigation.navigation_of(request)
    found: site_navigation.Navigation = request.site_navigation
    return found


@register.simple_tag(takes_context=True)
def account_entries(context: template.Context) -> list[site_navigation.Entry]:
    """Return the pages of the account itself."""
    return site_navigation.account_entries(context["request"])


@register.simple_tag
def environment_label() -> str:
    """Return the label of this installation, such as `staging`; empty where none is set."""
    return settings.ENVIRONMENT_LABEL


@register.filter
def delivery_style(status: str) -> status_styles.StatusStyle:
    """Return the style of an endpoint, a delivery or a dead letter."""
    return status_styles.DELIVERY_STYLES[status]


@register.filter
def message_style(status: str) -> status_styles.StatusStyle:
    """Return the style of a message to a channel."""
    return status_styles.CHANNEL_STYLES[status]


@register.filter
def channel_style(channel: Channel) -> status_styles.StatusStyle:
    """Return the style of a channel of notifications."""
    return status_styles.CHANNEL_STYLES[status_styles.channel_state(channel)]


@register.filter
def pretty(value: Any) -> str:
    """Format a value as indented JSON. The result is not marked safe: the template escapes it."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.simple_tag
def all_styles() -> list[status_styles.StatusStyle]:
    """Return every style that a live page can switch to."""
    return status_styles.ALL


@register.inclusion_tag("jobs/parts/pill.html")
def pill(shown: status_styles.StatusStyle | str) -> dict[str, Any]:
    """Render icon and label of a status."""
    return {"style": status_styles.STYLES[shown] if isinstance(shown, str) else shown}


@register.inclusion_tag("jobs/parts/late.html")
def late_pill(job: Job | Mapping[str, Any]) -> dict[str, Any]:
    """Render `Late 40 min` for a late job or its body, and nothing for another one; the browser keeps it current."""
    is_late, due_at = (job.late, job.due_at) if isinstance(job, Job) else (job["late"], job["due_at"])
    if not is_late or due_at is None:
        return {}
    late_by = (timezone.now() - due_at).total_seconds()
    return {"style": status_styles.LATE, "due_at": due_at, "late_by": formatting.format_duration(late_by)}


@register.inclusion_tag("jobs/parts/bar.html")
def bar(body: Mapping[str, Any], label: str, mark: int | None = None) -> dict[str, Any]:
    """Render the progress bar of a job or phase: done, failed (hatched), and the mark where it completes."""
    percent, settled = percents(body)
    known = is_known(body)
    return {
        "style": status_style(body).code,
        "label": label,
        "known": known,
        "percent": percent or 0,
        "lost": max(0, (settled or 0) - (percent or 0)),
        "mark": mark,
        "description": bar_text(percent, settled, mark=mark) if known else "total unknown",
        "indeterminate": not known and body["status"] == "processing",
    }


@register.filter
def is_known(body: Mapping[str, Any]) -> bool:
    """Return whether a percent can be shown: a total is announced for the phase, or for any phase of the job."""
    if body["percent"] is None:
        return False
    return "phases" not in body or any(phase["expected"] is not None for phase in body["phases"])


@register.filter
def percent(body: Mapping[str, Any]) -> str:
    """Format the percent that is reached: `58`, or `?` while no total is known."""
    return str(percents(body)[0]) if is_known(body) else "?"


def percents(body: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the reached and the settled percent of a job or phase.

    The job's own percent counts a completed phase as 100, whatever it has reached; pages show what it has reached.
    """
    if "phases" not in body:
        return body["percent"], body["settled_percent"]
    share = share_of(body["phases"])
    return share.percent, share.settled_percent


def bar_text(percent: int, settled: int, *, mark: int | None) -> str:
    """Return the text alternative of a bar, for screen readers."""
    lost = f", {settled - percent} % failed" if settled > percent else ""
    return f"{percent} % done{lost}" + (f", completes at {mark} %" if mark is not None else "")


@register.inclusion_tag("jobs/parts/button.html")
def act_button(button: ActButton, back: str = "") -> dict[str, Any]:
    """Render the button of an act; a disabled one gives the reason."""
    return {"button": button, "back": back}


@register.simple_tag
def server_time() -> str:
    """Return the server's time, from which the browser computes the offset of its own clock."""
    return timezone.now().isoformat()


@register.simple_tag
def ago(moment: datetime | None, never: str = "never") -> SafeString | str:
    """Render a moment as `46 min ago`, with the exact time as title; the browser keeps it current."""
    if moment is None:
        return never
    text = formatting.format_ago(moment, now=timezone.now())
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        moment.isoformat(),
        formatting.format_datetime(moment),
        text,
    )


@register.simple_tag
def clock(moment: datetime | None, missing: str = formatting.DASH) -> SafeString | str:
    """Render a moment as `13:34:51 UTC`, with the date unless it is today; the browser shows its own time zone."""
    return missing if moment is None else _clock(moment, seconds=True)


@register.filter
def moments(text: str, at: datetime | None = None) -> SafeString:
    """Render a sentence of the server, written now or `at` a time, with its times in the zone of the page."""
    return with_moments(text, now=at or timezone.now())


@register.simple_tag
def retry_note(item: Item, phase: Phase) -> SafeString:
    """Say when a waiting item is retried: `retrying at 14:03:05 UTC, failure 2 of 4`."""
    return moments(retry_text(item, retries=phase.retries, now=timezone.now()))


@register.simple_tag
def minute(moment: datetime) -> SafeString:
    """Render a moment as `13:34 UTC`, for the axis of a chart; the browser shows its own time zone."""
    return _clock(moment, seconds=False)


def _clock(moment: datetime, *, seconds: bool) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}" data-clock="{}">{}</time>',
        moment.isoformat(),
        formatting.format_datetime(moment),
        "seconds" if seconds else "minutes",
        formatting.when(moment, now=timezone.now(), seconds=seconds),
    )


@register.simple_tag
def until(moment: datetime | None, missing: str = formatting.DASH) -> SafeString | str:
    """Render a future moment as `in 5 min`; the browser keeps it current."""
    return ago(moment, never=missing)


@register.simple_tag
def due(moment: datetime) -> SafeString | str:
    """Render the next try of a delivery: `in 5 min`, or `now` once it is due."""
    return until(moment) if moment > timezone.now() else "now"


@register.simple_tag
def ago_now() -> SafeString | str:
    """Render the moment of this page: `0 s ago`, which the browser keeps current."""
    return ago(timezone.now())


# --- lists -----------------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def saved_views(context: template.Context, cl: Any) -> dict[str, Any]:
    """Return the saved views of a list, the own ones among them, and the present filters."""
    request = context["request"]
    if not hasattr(request, "saved_views"):
        request.saved_views = _saved_views(request, cl)
    found: dict[str, Any] = request.saved_views
    return found


def _saved_views(request: HttpRequest, cl: Any) -> dict[str, Any]:
    user, is_limited = request.user, visible_projects(request) is not None
    list_name = f"{cl.opts.app_label}_{cl.opts.model_name}"
    shown = list(SavedView.objects.filter(list_name=list_name).visible_to(user.pk, is_limited=is_limited))
    return {
        "shown": shown,
        "own": [view for view in shown if view.account_id == user.pk or (user.is_superuser and view.shared)],
        "may_share": not is_limited,
        "list_name": list_name,
        "query": cl.get_query_string()[1:],
    }


@register.simple_tag
def labelled(cells: Iterable[str], headers: Sequence[Mapping[str, Any]]) -> SafeString:
    """Render the cells of a row, each with the label that it has on a small screen, where the row is a card."""
    return mark_safe("".join(map(_labelled, cells, headers)))  # noqa: S308  rendered by the admin, the label is escaped


def _labelled(cell: str, header: Mapping[str, Any]) -> str:
    text = str(header["text"])
    label = "" if "<" in text else conditional_escape(capfirst(text))
    empty = " data-empty" if EMPTY_CELL.fullmatch(cell) else ""
    return CELL.sub(rf'<\1 data-label="{label}"{empty}', cell, count=1)


@register.simple_tag
def action_buttons(cl: Any, form: Any) -> Mapping[str, list[Any]]:
    """Return the buttons of the selected rows: the usual ones, and those behind More."""
    found: Mapping[str, list[Any]] = cl.model_admin.action_buttons(form.fields["action"].choices)
    return found
