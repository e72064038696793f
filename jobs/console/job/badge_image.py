"""The badge of a job: an SVG image for other sites, by a signed link and without an account."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from csp.decorators import csp
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from jobs.api import badge_links
from jobs.console import status_styles
from jobs.console.job_rows import row_of
from jobs.console.templatetags.progress_pages import bar, percent
from jobs.models import Job
from jobs.serializers import job_body

View = Callable[[HttpRequest, str], HttpResponseBase]
MEDIA_TYPE = "image/svg+xml"
# The SVG needs no resources and no scripts, also when it is opened as a page.
never_framed = cast("Callable[[View], View]", csp({"default-src": ["'none'"], "frame-ancestors": ["'none'"]}))
HEADERS = {"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "cross-origin"}
TEMPLATES = {"bar": "jobs/badge/bar.svg"}
PILL = "jobs/badge/pill.svg"
UNKNOWN = status_styles.StatusStyle("unknown", "Unknown")

NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NAME_LENGTH = 40
NARROW = frozenset(" .,:;!|'()[]fijlrtI")
NARROW_WIDTH, WIDTH, WIDE_WIDTH = 4.2, 7.0, 11.5
PADDING, SHORTEST = 16, 240


@dataclass(frozen=True, slots=True)
class Colours:
    """Light colours of a style in `colours.css`: text and bar, and the background.

    An SVG image cannot use the style sheet of the page that embeds it.
    """

    ink: str
    ground: str


SOLID = Colours("#ffffff", "#b23c00")
RUN, OK = Colours("#0b5c99", "#e3f0fb"), Colours("#0a6546", "#dff3ea")
BAD, WARN = Colours("#b83b00", "#fdebe1"), Colours("#574000", "#fdf1d3")
QUIET = Colours("#4e5763", "#eef0f3")
COLOURS = {"running": RUN, "completed": OK, "partial": OK, "reworking": OK, "failed": BAD, "stuck": WARN}


@require_safe
@never_framed
def badge(request: HttpRequest, signed: str) -> HttpResponseBase:
    """Return the job of this link as a pill, or with `?style=bar` as a bar; 404 shows “Unknown”.

    The ETag is the job's revision.
    """
    job = badge_links.job_of(signed)
    if job is None:
        return _image(PILL, _unknown(), status=404)
    etag = f'"{job.revision}"'
    unchanged = HttpResponse(headers={**HEADERS, "ETag": etag})
    response = get_conditional_response(request, etag=etag, response=unchanged)
    if response is not None and response is not unchanged:
        return response
    context = _context(job)
    return _image(TEMPLATES.get(request.GET.get("style", ""), PILL), context, etag=f'"{job.revision}"')


def _image(template: str, context: dict[str, Any], *, status: int = 200, etag: str = "") -> HttpResponse:
    headers = {**HEADERS, "ETag": etag} if etag else HEADERS
    return HttpResponse(render_to_string(template, context), content_type=MEDIA_TYPE, status=status, headers=headers)


def _context(job: Job) -> dict[str, Any]:
    """Return the template context of a job's image."""
    body, style = job_body(job), status_styles.style_of(job)
    bar_context, colours = bar(body, job.name, row_of(body).mark), COLOURS.get(style.code, QUIET)
    return {
        **_texts(xml_safe(job.name), f"{status_styles.label_of(style)} {percent(body)} %"),
        "title": f"{xml_safe(job.name)}: {status_styles.label_of(style)}, {bar_context['description']}",
        "colours": colours,
        "pill": SOLID if style.code == "failed" else colours,
        "fill": QUIET.ink if style.code == "failed" else colours.ink,
        "bar": bar_context,
        "dashed": style == status_styles.STUCK,
    }


def _unknown() -> dict[str, Any]:
    return {**_texts("badge", UNKNOWN.label), "title": "This badge link is not valid.", "pill": QUIET}


def _texts(name: str, text: str) -> dict[str, Any]:
    """Return both texts and their widths in pixels; `left` and `right` include the padding."""
    short = name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"
    left, right = width(short) + PADDING, width(text) + PADDING
    return {
        "name": short,
        "name_width": left - PADDING,
        "word": text,
        "word_width": right - PADDING,
        "word_at": left + PADDING // 2,
        "left": left,
        "right": right,
        "whole": left + right,
        "wide": max(left + right, SHORTEST),
    }


def xml_safe(text: str) -> str:
    """Replace each character that XML does not allow."""
    return NOT_IN_XML.sub("\ufffd", text)


def width(text: str) -> int:
    """Estimate the width of a text at 11 px; the SVG then stretches the text to exactly this width."""
    return round(sum(map(_width, text)))


def _width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return WIDE_WIDTH
    return NARROW_WIDTH if character in NARROW else WIDTH
