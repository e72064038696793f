"""Health checks and metrics: /healthz, /readyz, /metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from jobs.live import open_connections
from jobs.models import Delivery, Job, Phase, RowFailure
from jobs.watchdog import process_heartbeats


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
    return {kind: seen_at and round((now - seen_at).total_seconds(), 1) for kind, seen_at in heard.items()}


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return jobs by status, stuck jobs, settled items and undelivered events in the format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Jobs())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


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


class _Jobs:
    def collect(self) -> Iterator[Metric]:
        yield _gauge("progress_jobs", "Jobs by status.", "status", _jobs("status"))
        yield _gauge("progress_jobs_stuck", "Jobs that cannot finish by themselves.", "reason", _jobs("stuck"))
        late = Job.objects.late().count()
        yield GaugeMetricFamily("progress_jobs_late", "Unfinished jobs after their due time.", value=late)
        yield GaugeMetricFamily(
            "progress_live_sockets", "Open websockets and streams of this process.", value=open_connections()
        )
        yield _gauge("progress_items", "Items by outcome.", "status", _items())
        yield _gauge("progress_deliveries", "Deliveries that are not sent.", "status", _deliveries())
        yield GaugeMetricFamily(
            "progress_oldest_undelivered_seconds", "Age of the oldest event that is not delivered yet.", _oldest()
        )
        yield _rows_set_aside()
        yield from _heartbeats()


def _rows_set_aside() -> Metric:
    """Return how many rows each step of the passes has set aside; the log names the rows."""
    counter = CounterMetricFamily("progress_rows_set_aside", "Rows that failed in a pass over many.", labels=["step"])
    for step, number in RowFailure.objects.order_by("step").values_list("step", "number"):
        counter.add_metric([step], number)
    return counter


def _heartbeats() -> Iterator[Metric]:
    """Yield the age of each kind of process's last heartbeat (none if never), and whether it is too old."""
    now, silent = timezone.now(), _silences()
    ages = GaugeMetricFamily(
        "progress_process_heartbeat_age_seconds",
        "Seconds since the last heartbeat of this kind of process.",
        labels=["kind"],
    )
    for kind, seen_at in process_heartbeats.last_heard().items():
        if seen_at is not None:
            ages.add_metric([kind], max(0.0, (now - seen_at).total_seconds()))
    yield ages
    values = {kind: int(kind in silent) for kind in process_heartbeats.KINDS}
    yield _gauge("progress_process_silent", "1 if this kind of process sent no heartbeat for a minute.", "kind", values)


def _silences() -> dict[str, str]:
    """Return a sentence for each kind of process that is silent."""
    return {silence.kind: silence.sentence for silence in process_heartbeats.silences()}


def _gauge(name: str, documentation: str, label: str, values: dict[str, int]) -> Metric:
    gauge = GaugeMetricFamily(name, documentation, labels=[label])
    for value, number in values.items():
        gauge.add_metric([value], number)
    return gauge


def _jobs(field: str) -> dict[str, int]:
    rows = Job.objects.order_by().values_list(field).annotate(number=Count("pk"))
    return {value: number for value, number in rows if value}


def _items() -> dict[str, int]:
    sums = Phase.objects.aggregate(completed=Sum("done"), failed=Sum("failed"), skipped=Sum("skipped"))
    return {status: number or 0 for status, number in sums.items()}


def _deliveries() -> dict[str, int]:
    return {"waiting": Delivery.objects.waiting().count(), "dead": Delivery.objects.dead().count()}


def _oldest() -> float:
    """Return the age of the oldest waiting delivery in seconds; 0 without one."""
    now = timezone.now()
    oldest = Delivery.objects.waiting().aggregate(oldest=Min("created_at"))["oldest"]
    return (now - (oldest or now)).total_seconds()


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
    async_to_sync(_round_trip)()


async def _round_trip() -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel(f"ready-{uuid4().hex}")
    await layer.send(channel, {"type": "ready"})
    await layer.receive(channel)
