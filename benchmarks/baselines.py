"""Baselines of ingest: applications that do a part of the work, on the same servers.

`/raw` reads the body, `/decoded` also decodes it with msgspec. Everything else is Django with the default
middleware of `startproject`: `/empty` is a view of Django REST Framework without work, `/parsed` one that parses the
body.
"""

from __future__ import annotations

import os
from typing import Any

import django
import msgspec
from django.conf import settings

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
settings.configure(
    SECRET_KEY="a-key-of-the-benchmarks-0123456789",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "rest_framework"],
    MIDDLEWARE=MIDDLEWARE,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.devnull}},
    LOGGING_CONFIG=None,
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

EMPTY = b"{}"
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


class Empty(APIView):
    """View without work."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        """Answer an empty object."""
        return Response({})


class Parsed(Empty):
    """View that parses the body."""

    def post(self, request: Request) -> Response:
        """Parse, and answer an empty object."""
        assert request.data["results"]
        return Response({})


urlpatterns = [path("empty", Empty.as_view()), path("parsed", Parsed.as_view())]
stock = get_asgi_application()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve one of the baselines."""
    if scope["type"] != "http" or scope["path"] not in ("/raw", "/decoded"):
        await stock(scope, receive, send)
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["path"] == "/decoded":
        msgspec.json.decode(body)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": EMPTY})
