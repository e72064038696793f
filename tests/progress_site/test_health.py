"""Health checks and metrics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from jobs.management import deliverer_loop, watchdog_loop
from jobs.models import Job, ProcessHeartbeat
from jobs.watchdog import process_heartbeats
from tests.factories import make_job


@pytest.mark.django_db
def test_a_site_that_can_serve_is_ready(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    checks = ("database", "migrations", "channel_layer", "watchdog", "deliverer")
    never = {"seconds_since_heartbeat": {"watchdog": None, "deliverer": None}}
    assert response.json() == {"status": "ok", **dict.fromkeys(checks, "ok"), **never}


def heard(kind: str, *, seconds_ago: float) -> None:
    """Record a heartbeat of this kind of process that long ago."""
    seen_at = timezone.now() - timedelta(seconds=seconds_ago)
    ProcessHeartbeat.objects.create(kind=kind, name="other:1", seen_at=seen_at)


@pytest.mark.django_db
def test_a_silent_watchdog_is_a_warning_of_a_site_that_is_ready(client: Client) -> None:
    heard("watchdog", seconds_ago=300)
    heard("deliverer", seconds_ago=5)
    response = client.get("/readyz")
    assert response.status_code == 200
    body = response.json()
    assert (body["status"], body["deliverer"]) == ("degraded", "ok")
    assert body["watchdog"] == "No watchdog process has sent a heartbeat for 5 min."
    ages = body["seconds_since_heartbeat"]
    assert (300 <= ages["watchdog"] < 310, 5 <= ages["deliverer"] < 15) == (True, True)


@pytest.mark.django_db
def test_processes_that_were_never_heard_are_missed_after_a_minute_of_serving(client: Client) -> None:
    process_heartbeats.serving_starts(timezone.now() - timedelta(seconds=30))
    assert client.get("/readyz").json()["status"] == "ok"
    process_heartbeats.serving_starts(timezone.now() - timedelta(seconds=61))
    body = client.get("/readyz").json()
    assert body["watchdog"] == "No watchdog process has ever sent a heartbeat."
    assert body["deliverer"] == "No deliverer process has ever sent a heartbeat."


@pytest.mark.django_db
def test_processes_of_before_a_restart_are_not_missed_in_its_first_minute(client: Client) -> None:
    heard("watchdog", seconds_ago=3600)
    process_heartbeats.serving_starts()
    assert client.get("/readyz").json()["status"] == "ok"


@pytest.mark.django_db
def test_one_live_process_of_several_is_enough(client: Client) -> None:
    heard("watchdog", seconds_ago=3000)
    process_heartbeats.beat("watchdog")
    process_heartbeats.beat("deliverer")
    process_heartbeats.serving_starts(timezone.now() - timedelta(hours=1))
    assert client.get("/readyz").json()["status"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_a_sweep_and_a_look_at_what_is_due_are_signs_of_life(client: Client) -> None:
    process_heartbeats.serving_starts(timezone.now() - timedelta(hours=1))
    assert watchdog_loop.sweep_once()
    assert deliverer_loop.deliver_once()
    assert set(ProcessHeartbeat.objects.values_list("kind", flat=True)) == {"watchdog", "deliverer"}
    assert client.get("/readyz").json()["status"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_a_sweep_that_fails_is_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> dict[str, int]:
        raise OperationalError("the database is locked")

    monkeypatch.setattr("jobs.watchdog.sweep", down)
    assert not watchdog_loop.sweep_once()
    assert not ProcessHeartbeat.objects.exists()


@pytest.mark.django_db
def test_a_heartbeat_is_written_at_most_every_ten_seconds(django_assert_num_queries: Any) -> None:
    process_heartbeats.beat("watchdog")
    with django_assert_num_queries(0):
        process_heartbeats.beat("watchdog")


@pytest.mark.django_db
def test_rows_of_processes_that_ended_a_day_ago_are_forgotten() -> None:
    heard("watchdog", seconds_ago=2 * 86_400)
    process_heartbeats.beat("watchdog")
    assert ProcessHeartbeat.objects.count() == 1


@pytest.mark.django_db
def test_metrics_tell_how_long_ago_each_process_was_heard_and_whether_it_is_silent(client: Client) -> None:
    heard("watchdog", seconds_ago=300)
    lines = client.get("/metrics").content.decode().splitlines()
    assert 'progress_process_silent{kind="watchdog"} 1.0' in lines
    assert 'progress_process_silent{kind="deliverer"} 0.0' in lines
    [age] = [line for line in lines if line.startswith("progress_process_heartbeat_age_seconds{")]
    assert 300 <= float(age.split()[-1]) < 310


@pytest.mark.django_db
def test_a_site_that_lacks_a_migration_is_not_ready(client: Client) -> None:
    newest = MigrationLoader(connection).graph.leaf_nodes("jobs")[0]
    MigrationRecorder(connection).record_unapplied(*newest)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["migrations"] != "ok"


@pytest.mark.django_db
def test_a_site_without_its_database_is_alive_but_not_ready(client: Client) -> None:
    def down(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("could not connect: password is hunter2")

    with connection.execute_wrapper(down):
        ready, alive = client.get("/readyz"), client.get("/healthz")
    assert ready.status_code == 503
    assert (ready.json()["database"], ready.json()["migrations"]) == ("OperationalError", "unknown")
    assert b"hunter2" not in ready.content
    assert alive.json() == {"status": "ok"}


def test_a_channel_layer_that_does_not_answer_is_named(client: Client, settings: Any) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]},
        }
    }
    pytest.importorskip("channels_redis", reason="the packages of scale-out are not installed")
    assert client.get("/readyz").json()["channel_layer"] not in ("ok", "")


@pytest.mark.django_db
def test_metrics_count_jobs_by_status_stuck_jobs_and_items(client: Client) -> None:
    make_job(name="a", done=3)
    make_job(name="b")
    Job.objects.filter(name="b").update(stuck="silent", late=True)
    lines = client.get("/metrics").content.decode().splitlines()
    assert 'progress_jobs{kind="generic",project="other",status="pending"} 1.0' in lines
    assert 'progress_jobs_stuck{reason="silent"} 1.0' in lines
    assert "progress_jobs_late 1.0" in lines
    assert 'progress_items{status="completed"} 3.0' in lines


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_is_only_read(client: Client, address: str) -> None:
    assert client.post(address).status_code == 405


def test_the_root_redirects_to_the_console(client: Client) -> None:
    response = client.get("/")
    assert (response.status_code, response["Location"]) == (302, "/admin/")


@pytest.mark.django_db
def test_pages_run_no_script_and_no_style_but_our_own_files(client: Client) -> None:
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == directives["base-uri"] == directives["frame-ancestors"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert "unsafe" not in policy
