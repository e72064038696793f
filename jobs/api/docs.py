"""Interactive API documentation, with scripts and styles of this site."""

from __future__ import annotations

from drf_spectacular.views import SpectacularSwaggerSplitView


class Docs(SpectacularSwaggerSplitView):
    """The OpenAPI document as a page, under the content policy of every other page."""

    url_name = "api-schema"
    template_name = "jobs/docs.html"
