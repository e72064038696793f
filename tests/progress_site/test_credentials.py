"""Credentials that no site can have issued: refused like any other wrong one, on every database."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", ['"abcdefgh\\000ijkl"', "a" * 5000, "ABCDEFGHIJKL", "abcdefgh'--"])
@pytest.mark.parametrize(("path", "status"), [("/admin/", 302), ("/api/v1/jobs", 401)])
def test_a_cookie_that_is_no_key_of_a_session_signs_in_no_account(path: str, status: int, key: str) -> None:
    response = Client().get(path, headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={key}"})
    assert response.status_code == status


@pytest.mark.parametrize("secret", ["abcdefgh\0abc", "\0", "x" * 100_000, "é"])
def test_a_secret_that_is_no_token_is_refused_with_401(secret: str) -> None:
    assert Client().get("/api/v1/jobs", headers={"authorization": f"Bearer {secret}"}).status_code == 401


def test_a_name_with_a_nul_is_a_wrong_name_at_the_sign_in() -> None:
    client = Client(headers={"user-agent": "a\0b", "accept": "x\0"})
    for name in ("a\0b", "unknown"):
        assert client.post("/admin/login/", {"username": name, "password": "x\0y"}).status_code < 500
