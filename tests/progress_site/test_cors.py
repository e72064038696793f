"""Pages of other origins: they may read the API with a token, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
ORIGIN = "https://dashboard.example.com"
ALLOWED = "Access-Control-Allow-Origin"


@pytest.fixture
def allowed(settings: Any) -> None:
    """One origin may read."""
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]


def preflight(client: Client, path: str, *, method: str = "GET", origin: str = ORIGIN) -> Any:
    """Ask as a browser does before a call with a token."""
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
    return client.options(path, headers={"Origin": origin, **asked})


@pytest.mark.usefixtures("allowed")
def test_a_page_of_an_allowed_origin_may_read(client: Client) -> None:
    response = preflight(client, "/api/v1/jobs")
    assert (response.status_code, response.headers[ALLOWED]) == (200, ORIGIN)
    assert "authorization" in response.headers["Access-Control-Allow-Headers"]
    read = client.get("/api/v1/schema", headers={"Origin": ORIGIN})
    assert read.headers[ALLOWED] == ORIGIN
    assert "ETag" in read.headers["Access-Control-Expose-Headers"]


@pytest.mark.usefixtures("allowed")
def test_no_page_may_write_or_use_the_session_of_an_operator(client: Client) -> None:
    response = preflight(client, "/api/v1/jobs", method="POST")
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    ("path", "origin"), [("/api/v1/jobs", "https://other.example.com"), ("/admin/", ORIGIN), ("/metrics", ORIGIN)]
)
def test_no_other_origin_and_no_page_is_allowed(client: Client, path: str, origin: str) -> None:
    assert ALLOWED not in preflight(client, path, origin=origin).headers
    assert ALLOWED not in client.get(path, headers={"Origin": origin}).headers


def test_without_the_setting_no_origin_is_allowed(client: Client) -> None:
    assert ALLOWED not in preflight(client, "/api/v1/jobs").headers
