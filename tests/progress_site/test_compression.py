"""Compressed answers: text that is whole, and nothing else."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from progress_site.compression import CompressionMiddleware
from tests.factories import make_job

TEXT = b"a line of a page\n" * 100


def passed(response: HttpResponseBase, *, method: str = "get", accepts: str = "gzip, br") -> HttpResponseBase:
    request = getattr(RequestFactory(), method)("/", headers={"Accept-Encoding": accepts})
    return CompressionMiddleware(lambda _: response)(request)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    "media_type", ["text/html; charset=utf-8", "application/json", "application/problem+json", "image/svg+xml"]
)
def test_text_is_compressed(media_type: str) -> None:
    response = passed(HttpResponse(TEXT, content_type=media_type, headers={"ETag": '"7"'}))
    assert gzip.decompress(response.content) == TEXT  # type: ignore[attr-defined]
    assert response["Vary"] == "Accept-Encoding"
    assert response["ETag"] == 'W/"7"'


async def ticks() -> AsyncIterator[bytes]:
    yield TEXT


@pytest.mark.parametrize(
    ("response", "method"),
    [
        (HttpResponse(b"tiny", content_type="application/json"), "get"),
        (HttpResponse(TEXT, content_type="image/png"), "get"),
        (HttpResponse(TEXT, content_type="text/event-stream"), "get"),
        (HttpResponse(TEXT, content_type="text/css", status=206), "get"),
        (HttpResponse(TEXT, content_type="text/css"), "head"),
        (StreamingHttpResponse(ticks(), content_type="text/csv"), "get"),
    ],
)
def test_other_answers_stay_as_they_are(response: Any, method: str) -> None:
    assert "Content-Encoding" not in passed(response, method=method).headers


def test_a_client_that_accepts_none_gets_plain_text() -> None:
    response = passed(HttpResponse(TEXT), accepts="identity")
    assert "Content-Encoding" not in response.headers
    assert response["Vary"] == "Accept-Encoding"


def test_compression_stands_outside_of_every_other_middleware_but_the_probes() -> None:
    assert settings.MIDDLEWARE.index("progress_site.compression.CompressionMiddleware") == 1


def test_the_weak_tag_of_a_compressed_job_is_answered_with_304(client: Client, admin_user: User) -> None:
    job = make_job(items=20)
    client.force_login(admin_user)
    address = f"/api/v1/jobs/{job.pk}"
    first = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert (first["Content-Encoding"], first["ETag"][:2]) == ("gzip", "W/")
    again = client.get(address, headers={"Accept-Encoding": "gzip", "If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
