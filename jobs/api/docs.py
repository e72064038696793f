"""The try-it page, from files of our own."""

from __future__ import annotations

from csp.decorators import csp_update
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularSwaggerSplitView

STYLES = {"style-src": ["'self'", "'unsafe-inline'"]}


@method_decorator(csp_update(STYLES), name="dispatch")
class Docs(SpectacularSwaggerSplitView):
    """The OpenAPI document as a page. Only here are inline styles allowed; scripts are not."""

    url_name = "api-schema"
