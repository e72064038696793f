"""Health checks: /healthz and /readyz, and the middleware that answers them and /metrics."""

from __future__ import annotations

from collections.abc import Callable

from asgiref.sync import async_to_sync
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from jobs.live.channel_check import round_trip
from jobs.watchdog import process_heartbeats
from progress_site.metrics import metrics


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer that the process runs."""
    return JsonResponse({"status": "ok"})


def unanswered() -> JsonResponse:
    """Answer 503 to a probe that waited too long for the database or the channel layer."""
    return JsonResponse({"status": "unavailable", "fault": "No answer in time."}, status=503)


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Check database, migrations and channel layer; 503 with the fault if one of them fails.

    A silent watchdog or deliverer is a warning in the body, with 200: this process can still serve, and a load balancer
    that removed it would turn the warning into an outage.
    """
    faults = {"database": _fault(_database), "channel_layer": _fault(_channel_layer)}
    faults["migrations"] = "unknown" if faults["database"] else _fault(_migrations)
    status = 503 if any(faults.values()) else 200
    body = {name: fault or "ok" for name, fault in faults.items()}
    warnings = {} if faults["database"] or faults["migrations"] else _silences()
    processes = {kind: warnings.get(kind, "unknown" if status == 503 else "ok") for kind in process_heartbeats.KINDS}
    word = "unavailable" if status == 503 else "degraded" if warnings else "ok"
    ages = {} if faults["database"] or faults["migrations"] else _ages()
    return JsonResponse({"status": word, **body, **processes, "seconds_since_heartbeat": ages}, status=status)


def _ages() -> dict[str, float | None]:
    """Return the age of the last heartbeat of each kind of process; None if there never was one."""
    now, heard = timezone.now(), process_heartbeats.last_heard()
    return {kind: round((now - seen).total_seconds(), 1) if seen else None for kind, seen in heard.items()}


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}


class ProbeMiddleware:
    """Middleware that answers the three addresses before every other one.

    A kubelet, a load balancer and Prometheus call them by an IP address that is not in ALLOWED_HOSTS. Their answers
    contain no address of the site.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        return probe(request) if probe else self.get_response(request)


def _silences() -> dict[str, str]:
    """Return a sentence for each kind of process that is silent."""
    return {silence.kind: silence.sentence for silence in process_heartbeats.silences()}


def _fault(check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:
        return type(error).__name__
    return ""


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise LookupError(f"unapplied migrations on {DEFAULT_DB_ALIAS}")


def _channel_layer() -> None:
    async_to_sync(round_trip)()
