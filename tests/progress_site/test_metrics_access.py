"""Access to /metrics by token and network."""

from __future__ import annotations

from io import BytesIO
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import Client

from progress_site.forwarded_headers import forwarded
from progress_site.metrics.access import refusal

pytestmark = pytest.mark.django_db

TOKEN = "a-token-of-prometheus"


def status(client: Client, address: str = "10.1.2.3", **headers: str) -> int:
    """Return the status of a scrape from this address."""
    return client.get("/metrics", REMOTE_ADDR=address, headers=headers).status_code


def test_without_settings_everybody_reads(client: Client) -> None:
    assert status(client) == 200


def test_a_token_is_needed_where_one_is_set(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    response = client.get("/metrics")
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert [status(client, Authorization=given) for given in (TOKEN, f"Basic {TOKEN}", "Bearer x", "Bearer ä")] == [
        401
    ] * 4
    assert status(client, Authorization=f"Bearer {TOKEN}") == 200


def test_a_network_is_needed_where_one_is_set(client: Client, settings: Any) -> None:
    settings.METRICS_NETWORKS = [ip_network("10.0.0.0/8")]
    assert [status(client, address) for address in ("10.1.2.3", "::ffff:10.1.2.3")] == [200, 200]
    assert [status(client, address) for address in ("192.0.2.1", "::1", "")] == [403, 403, 403]


def test_a_request_that_a_strange_proxy_forwards_is_in_no_network(client: Client, settings: Any) -> None:
    settings.METRICS_NETWORKS, settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")], []
    assert not is_read(b"x-forwarded-for", b"10.9.9.9")
    assert status(client, Forwarded="for=10.9.9.9") == 403
    settings.TRUSTED_PROXIES = [ip_network("10.1.2.3")]
    assert is_read(b"x-forwarded-for", b"10.9.9.9")
    assert not is_read(b"x-forwarded-for", b"192.0.2.1")
    assert not is_read(b"x-forwarded-for", b"nonsense")
    assert not is_read(b"x-real-ip", b"10.9.9.9")


def is_read(name: bytes, value: bytes) -> bool:
    """Return whether a scrape through a proxy at 10.1.2.3 with this header reads the metrics."""
    scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": [(name, value)]}
    return refusal(ASGIRequest(forwarded({**scope, "client": ("10.1.2.3", 4711)}), BytesIO())) is None


def test_with_both_both_are_needed(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN, settings.METRICS_NETWORKS = TOKEN, [ip_network("10.0.0.0/8")]
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert (status(client), status(client, "192.0.2.1", **bearer), status(client, **bearer)) == (401, 403, 200)


def test_the_probes_stay_open(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN, settings.METRICS_NETWORKS = TOKEN, [ip_network("10.0.0.0/8")]
    assert [client.get(address).status_code for address in ("/healthz", "/readyz")] == [200, 200]
