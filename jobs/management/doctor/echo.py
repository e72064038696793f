"""Page for the doctor: how a request arrived at the site. It answers only who signs with the key of the site."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from django.core import signing
from django.http import Http404, HttpRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

SALT = "jobs.management.doctor"
VALID_SECONDS = 900
STREAM = "text/event-stream"
PAUSE_SECONDS = 3.0


def signed() -> str:
    """Return a signature that `echo` accepts for some minutes."""
    return signing.dumps("doctor", salt=SALT)


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponseBase:
    """Answer host, scheme and client of this request and the time, or stream two events."""
    try:
        signing.loads(request.GET.get("signed", ""), salt=SALT, max_age=VALID_SECONDS)
    except signing.BadSignature as error:
        raise Http404 from error
    if STREAM in request.headers.get("Accept", ""):
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(_events(), content_type=STREAM, headers=headers)
    return JsonResponse(_seen(request))


def _seen(request: HttpRequest) -> dict[str, Any]:
    scope: dict[str, Any] = getattr(request, "scope", {})
    return {
        "host": request.get_host(),
        "scheme": request.scheme,
        "client": request.META.get("REMOTE_ADDR", ""),
        "untrusted_proxy": bool(scope.get("untrusted_proxy")),
        "path": request.path,
        "time": timezone.now().timestamp(),
    }


async def _events() -> AsyncIterator[bytes]:
    yield b"data: first\n\n"
    await asyncio.sleep(PAUSE_SECONDS)
    yield b"data: second\n\n"
