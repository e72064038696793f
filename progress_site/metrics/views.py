"""The answer to Prometheus."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from progress_site.metrics.access import refusal
from progress_site.metrics.cache import database_metrics
from progress_site.metrics.requests import request_metrics


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the figures of the database, and the requests of the processes."""
    refused = refusal(request)
    if refused is not None:
        return refused
    content = database_metrics() + generate_latest(request_metrics())
    return HttpResponse(content, content_type=CONTENT_TYPE_LATEST)
