"""What a supervisor and Prometheus are told."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from jobs.models import Job
from tests.factories import make_job


@pytest.mark.django_db
def test_a_site_that_can_serve_is_ready(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "migrations": "ok", "channel_layer": "ok"}


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
    Job.objects.filter(name="b").update(stuck="silent")
    lines = client.get("/metrics").content.decode().splitlines()
    assert 'progress_jobs{status="pending"} 1.0' in lines
    assert 'progress_jobs_stuck{reason="silent"} 1.0' in lines
    assert 'progress_items{status="completed"} 3.0' in lines


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_is_only_read(client: Client, address: str) -> None:
    assert client.post(address).status_code == 405


def test_the_front_door_leads_to_the_operators(client: Client) -> None:
    response = client.get("/")
    assert (response.status_code, response["Location"]) == (302, "/admin/")


@pytest.mark.django_db
def test_pages_run_no_script_and_no_style_but_our_own_files(client: Client) -> None:
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == directives["base-uri"] == directives["frame-ancestors"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert "unsafe" not in policy
