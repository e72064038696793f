"""The last use of a token: saved at most once a minute; no call waits or fails for it."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread
from time import monotonic
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from jobs.api import token_last_used, tokens
from jobs.models import TokenUse
from tests.jobs.test_sql_pins import statements


@pytest.fixture(autouse=True)
def _anew() -> None:
    token_last_used.forget()


def call(secret: str) -> int:
    """Send a call with this secret."""
    return Client().get("/api/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code


@pytest.mark.django_db
def test_a_call_notes_when_and_the_next_of_the_same_minute_writes_nothing() -> None:
    secret = tokens.issue("w1")
    assert call(secret) == 200
    assert timezone.now() - TokenUse.objects.get().used_at < timedelta(minutes=1)
    assert not [sql for sql in statements(lambda: call(secret)) if "tokenuse" in sql]


@pytest.mark.django_db
def test_after_a_minute_it_is_noted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tokens.issue("w1")
    call(secret)
    TokenUse.objects.update(used_at=timezone.now() - timedelta(hours=1))
    monkeypatch.setattr(token_last_used, "monotonic", lambda: monotonic() + 61)
    call(secret)
    assert timezone.now() - TokenUse.objects.get().used_at < timedelta(minutes=1)


@pytest.mark.django_db
def test_a_wrong_secret_notes_nothing_and_a_revoked_token_takes_its_note_along() -> None:
    secret = tokens.issue("w1")
    assert call(secret[:-1] + ("0" if secret[-1] != "0" else "1")) == 401
    assert not TokenUse.objects.exists()
    call(secret)
    tokens.revoke(AuthToken.objects.get())
    assert not TokenUse.objects.exists()


@pytest.mark.django_db
def test_a_call_succeeds_where_its_use_cannot_be_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OperationalError("database is locked")

    secret = tokens.issue("w1")
    with monkeypatch.context() as patch:
        patch.setattr(token_last_used, "_write", broken)
        assert call(secret) == 200
    assert not TokenUse.objects.exists()
    assert call(secret) == 200
    assert not TokenUse.objects.exists()
    monkeypatch.setattr(token_last_used, "monotonic", lambda: monotonic() + token_last_used.RETRY_SECONDS + 1)
    call(secret)
    assert TokenUse.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_writer() -> None:
    """Another writer has locked the row; the call goes on at once, and its lock timeout is as before."""
    token = AuthToken.objects.get(user__username="w1") if tokens.issue("w1") else None
    assert token is not None
    TokenUse.objects.create(token=token, used_at=timezone.now())
    took: list[float] = []
    left: list[str] = []

    def use() -> None:
        begun = monotonic()
        token_last_used.record_use(token)
        took.append(monotonic() - begun)
        left.append(patience())
        connections.close_all()

    before = patience()
    with transaction.atomic():
        TokenUse.objects.select_for_update().get()
        TokenUse.objects.update(used_at=timezone.now())
        thread = Thread(target=use)
        thread.start()
        thread.join()
    assert took[0] < 2
    assert left == [before]


def patience() -> str:
    """Return the time for which a statement waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout" if connection.vendor == "sqlite" else "SHOW lock_timeout")
        return str(cursor.fetchone()[0])
