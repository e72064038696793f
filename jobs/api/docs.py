"""OpenAPI document, and the interactive documentation with scripts and styles of this site."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

# The generator is not thread-safe: it stores the state of a run in the classes of the views.
_lock = Lock()


class Schema(SpectacularAPIView):
    """The OpenAPI document. It depends on no request, so a process makes it once in each format."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the document as YAML or JSON."""
        renderer: BaseRenderer = request.accepted_renderer
        kind: Callable[[], BaseRenderer] = type(renderer)
        with _lock:
            content = _rendered(kind)
        headers = {"Content-Disposition": f'inline; filename="Progress Site.{renderer.format}"'}
        return HttpResponse(content, content_type=renderer.media_type, headers=headers)


class Docs(SpectacularSwaggerSplitView):
    """The OpenAPI document as a page, under the content policy of every other page."""

    url_name = "api-schema"
    template_name = "jobs/docs.html"


@cache
def _rendered(renderer: Callable[[], BaseRenderer]) -> str | bytes:
    return renderer().render(_document(), renderer_context={})


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return document
