"""Pills, bars, buttons, times and figures for the operators' pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from jobs.console import status_styles
from jobs.operations.buttons import ActButton
from jobs.rules import formatting, pipelines

register = template.Library()
register.filter("num", formatting.format_number)
register.filter("span", formatting.format_duration)
register.filter("exact", formatting.format_datetime)


@register.filter
def face(body: Mapping[str, Any]) -> status_styles.StatusStyle:
    """The face of a job body, a phase body or an item body."""
    return status_styles.style(body["status"], stuck=body.get("stuck"), partial=body.get("partial", False))


@register.filter
def face_code(body: Mapping[str, Any]) -> str:
    """The name of its colours."""
    return face(body).code


@register.filter
def page_of(body: Mapping[str, Any]) -> str:
    """The address of the page that shows the job of this body."""
    return reverse(pipelines.page_of(body["kind"]), args=[body["id"]])


@register.simple_tag
def kinds_with_lists() -> list[pipelines.Kind]:
    """The kinds of job that have a list of their own, for the navigation."""
    return pipelines.listed()


@register.filter
def told(status: str) -> status_styles.StatusStyle:
    """The face of an endpoint, a delivery or a letter."""
    return status_styles.TOLD[status]


@register.filter
def pretty(value: Any) -> str:
    """JSON over several lines, as people read it; to be escaped like any text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.simple_tag
def all_faces() -> list[status_styles.StatusStyle]:
    """Every face there is, for the browser to copy."""
    return status_styles.ALL


@register.inclusion_tag("jobs/parts/pill.html")
def pill(shown: status_styles.StatusStyle | str) -> dict[str, Any]:
    """Icon and word of a state."""
    return {"face": status_styles.STYLES[shown] if isinstance(shown, str) else shown}


@register.inclusion_tag("jobs/parts/bar.html")
def bar(body: Mapping[str, Any], label: str, mark: int | None = None) -> dict[str, Any]:
    """The bar of a job body or phase body: done, failed hatched behind it, and where it completes."""
    percent, settled = body["percent"], body["settled_percent"]
    known = is_known(body)
    return {
        "face": face(body).code,
        "label": label,
        "known": known,
        "percent": percent or 0,
        "lost": max(0, (settled or 0) - (percent or 0)),
        "mark": mark,
        "said": bar_text(percent, settled, mark=mark) if known else "total unknown",
        "indeterminate": not known and body["status"] == "processing",
    }


@register.filter
def is_known(body: Mapping[str, Any]) -> bool:
    """Has a total been announced, in the phase or in any phase of the job? Without one there is no percent."""
    if body["percent"] is None:
        return False
    return "phases" not in body or any(phase["expected"] is not None for phase in body["phases"])


@register.filter
def percent(body: Mapping[str, Any]) -> str:
    """`58`, or `?` while no total is known."""
    return str(body["percent"]) if is_known(body) else "?"


def bar_text(percent: int, settled: int, *, mark: int | None) -> str:
    """What a bar says to those who cannot see it."""
    lost = f", {settled - percent} % failed" if settled > percent else ""
    return f"{percent} % done{lost}" + (f", completes at {mark} %" if mark is not None else "")


@register.inclusion_tag("jobs/parts/button.html")
def act_button(offer: ActButton, back: str = "") -> dict[str, Any]:
    """The button of an act, or the act and why it is not possible."""
    return {"offer": offer, "back": back}


@register.simple_tag
def server_time() -> str:
    """Now, for the browser to know how far its own clock is off."""
    return timezone.now().isoformat()


@register.simple_tag
def ago(moment: datetime | None, never: str = "never") -> SafeString | str:
    """A moment as `46 min ago`, exact in its title; the browser keeps it current."""
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
    """A moment as `13:34:51 UTC`, with its date when that is not today's; the browser says it in its own zone."""
    return missing if moment is None else _clock(moment, seconds=True)


@register.simple_tag
def minute(moment: datetime) -> SafeString:
    """A moment as `13:34 UTC`, for the axis of a picture; the browser says it in its own zone."""
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
    """A moment ahead as `in 5 min`; the browser keeps it current."""
    return ago(moment, never=missing)


@register.simple_tag
def due(moment: datetime) -> SafeString | str:
    """The next try of a delivery: `in 5 min`, or `now` once that has come."""
    return until(moment) if moment > timezone.now() else "now"


class ForgetTicks(template.Node):
    """The list of the admin, in a form that a browser does not fill in again."""

    form = '<form id="changelist-form"'

    def __init__(self, nodes: template.NodeList) -> None:
        self.nodes = nodes

    def render(self, context: template.Context) -> SafeString:
        """After Back a browser restores boxes by their position, which would tick the rows that are there now."""
        html = self.nodes.render(context)
        return mark_safe(html.replace(self.form, f'{self.form} autocomplete="off"', 1))  # noqa: S308  rendered above


@register.tag
def forget_ticks(parser: template.base.Parser, token: template.base.Token) -> ForgetTicks:
    """Keep the browser from restoring what was ticked in the list inside."""
    nodes = parser.parse(("endforget_ticks",))
    parser.delete_first_token()
    return ForgetTicks(nodes)
