"""The badge of a job: an image for pages of others, by a signed link and without an account."""

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

Door = Callable[[HttpRequest, str], HttpResponseBase]
MEDIA_TYPE = "image/svg+xml"
# As an image it loads nothing and runs nothing, and neither as a page of its own.
framed_nowhere = cast("Callable[[Door], Door]", csp({"default-src": ["'none'"], "frame-ancestors": ["'none'"]}))
HEADERS = {"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "cross-origin"}
TEMPLATES = {"bar": "jobs/badge/bar.svg"}
PILL = "jobs/badge/pill.svg"
UNKNOWN = status_styles.StatusStyle("unknown", "Unknown")

UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SHOWN = 40
THIN = frozenset(" .,:;!|'()[]fijlrtI")
THIN_WIDTH, WIDTH, WIDE_WIDTH = 4.2, 7.0, 11.5
AROUND, SHORTEST = 16, 240


@dataclass(frozen=True, slots=True)
class Colours:
    """The light colours of a face in `colours.css`: of text and bar, and of the ground below them."""

    ink: str
    ground: str


SOLID = Colours("#ffffff", "#b23c00")
RUN, OK = Colours("#0b5c99", "#e3f0fb"), Colours("#0a6546", "#dff3ea")
BAD, WARN = Colours("#b83b00", "#fdebe1"), Colours("#574000", "#fdf1d3")
QUIET = Colours("#4e5763", "#eef0f3")
COLOURS = {"running": RUN, "completed": OK, "partial": OK, "failed": BAD, "stuck": WARN}


@require_safe
@framed_nowhere
def badge(request: HttpRequest, signed: str) -> HttpResponseBase:
    """The job of this link as a pill, or with `?style=bar` as a bar; 404 shows “Unknown”. The ETag is the revision."""
    job = badge_links.job_of(signed)
    if job is None:
        return _image(PILL, _unknown(), status=404)
    etag = f'"{job.revision}"'
    unchanged = HttpResponse(headers={**HEADERS, "ETag": etag})
    answer = get_conditional_response(request, etag=etag, response=unchanged)
    if answer is not None and answer is not unchanged:
        return answer
    shown = _shown(job)
    return _image(TEMPLATES.get(request.GET.get("style", ""), PILL), shown, etag=f'"{job.revision}"')


def _image(template: str, context: dict[str, Any], *, status: int = 200, etag: str = "") -> HttpResponse:
    headers = {**HEADERS, "ETag": etag} if etag else HEADERS
    return HttpResponse(render_to_string(template, context), content_type=MEDIA_TYPE, status=status, headers=headers)


def _shown(job: Job) -> dict[str, Any]:
    """What the images say of a job, which is brought up to date."""
    body, face = job_body(job), status_styles.style_of(job)
    drawn, colours = bar(body, job.name, row_of(body).mark), COLOURS.get(face.code, QUIET)
    return {
        **_texts(fit(job.name), f"{face.word} {percent(body)} %"),
        "title": f"{fit(job.name)}: {face.word}, {drawn['said']}",
        "colours": colours,
        "pill": SOLID if face.code == "failed" else colours,
        "fill": QUIET.ink if face.code == "failed" else colours.ink,
        "bar": drawn,
        "dashed": face == status_styles.STUCK,
    }


def _unknown() -> dict[str, Any]:
    return {**_texts("badge", UNKNOWN.word), "title": "This link shows no job.", "pill": QUIET}


def _texts(name: str, word: str) -> dict[str, Any]:
    """The two texts of an image, and the room that they need in pixels: `left` and `right` with what is around them."""
    short = name if len(name) <= SHOWN else f"{name[: SHOWN - 1]}…"
    left, right = width(short) + AROUND, width(word) + AROUND
    return {
        "name": short,
        "name_width": left - AROUND,
        "word": word,
        "word_width": right - AROUND,
        "word_at": left + AROUND // 2,
        "left": left,
        "right": right,
        "whole": left + right,
        "wide": max(left + right, SHORTEST),
    }


def fit(text: str) -> str:
    """The text with a sign for each character that XML cannot hold."""
    return UNFIT.sub("\ufffd", text)


def width(text: str) -> int:
    """About how many pixels a text of 11 px takes; the image then fits the text to exactly that."""
    return round(sum(map(_width, text)))


def _width(sign: str) -> float:
    if unicodedata.east_asian_width(sign) in "WF":
        return WIDE_WIDTH
    return THIN_WIDTH if sign in THIN else WIDTH
