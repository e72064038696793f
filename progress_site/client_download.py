"""Page and file of the Python client, for machines without a checkout. They need no account."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from progress_site.client_wheel import Wheel
from progress_site.client_wheel import wheel as build

CACHE = "public, max-age=300"


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the command that installs the client from this site."""
    made = _built()
    place = request.build_absolute_uri(reverse("client-wheel", args=[made.name]))
    site = request.build_absolute_uri(reverse("client")).removesuffix("/client/")
    context = {"wheel": made, "place": place, "site": site}
    return render(request, "client.html", context)


@require_safe
def wheel(request: HttpRequest, file: str) -> HttpResponse:
    """Send the wheel; 404 for the name of another version."""
    made = _built()
    if file != made.name:
        raise Http404
    return HttpResponse(made.content, content_type="application/octet-stream", headers={"Cache-Control": CACHE})


def _built() -> Wheel:
    """Build the wheel once in each process; 404 where the source of the client is not installed with the site."""
    try:
        return build()
    except OSError as error:
        raise Http404 from error
