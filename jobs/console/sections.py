"""Fragments of a page: a page that keeps itself current gets only the sections that have changed.

The script of a page loads its own address with the header `X-Sections: running=3f2a…,workers=9c01…`, the digests of
the sections that it has. The answer has the title and each section with another digest; its header has all of them.
An age such as "2 min ago" and the masked CSRF token are no change: the script computes ages by itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import TypeGuard

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

HEADER = "X-Sections"
DIGEST_BYTES = 6
BEGIN = re.compile(r'<(\w+)(?: [^<>]*)? data-section="([\w-]+)"[^<>]*>')
TITLE = re.compile(r"<title>[^<]*</title>")
VOLATILE = re.compile(r'(?<=name="csrfmiddlewaretoken" value=")[^"]*|(?<=>)[^<>]+(?=</time>)')


class SectionsMiddleware:
    """Answer with the changed sections of a page, if its script asks for them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        known = request.headers.get(HEADER)
        if known is not None and _is_page(response):
            _keep_changes(response, known)
        return response


def _is_page(response: HttpResponseBase) -> TypeGuard[HttpResponse]:
    is_html = response.headers.get("Content-Type", "").startswith("text/html")
    return isinstance(response, HttpResponse) and response.status_code == 200 and is_html


def _keep_changes(response: HttpResponse, known: str) -> None:
    """Replace the page by its title and the sections whose digest is not known."""
    page = response.content.decode()
    found = {name: (_digest(text), text) for name, text in sections_of(page)}
    had = dict(pair.split("=", 1) for pair in known.split(",") if "=" in pair)
    changed = [text for name, (digest, text) in found.items() if had.get(name) != digest]
    response.content = "".join([*TITLE.findall(page)[:1], *changed])
    response.headers[HEADER] = ",".join(f"{name}={digest}" for name, (digest, _) in found.items())
    response.headers.pop("Content-Length", None)


def sections_of(page: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each section; one inside another belongs to the outer one."""
    place = 0
    while begin := BEGIN.search(page, place):
        place = _end_of(begin[1], page, begin.end())
        yield begin[2], page[begin.start() : place]


def _end_of(tag: str, page: str, place: int) -> int:
    """Return the place behind the end tag of an element whose start tag ends at `place`."""
    depth = 1
    for each in re.compile(rf"<(/?){tag}\b[^<>]*>").finditer(page, place):
        depth += -1 if each[1] else 1
        if not depth:
            return each.end()
    return len(page)


def _digest(text: str) -> str:
    return hashlib.blake2b(VOLATILE.sub("", text).encode(), digest_size=DIGEST_BYTES).hexdigest()
