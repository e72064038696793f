"""Concurrent writes of unique values: one is stored, all others get the normal answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import models
from django.test import Client
from knox.models import AuthToken

from jobs import inbox, operations, tracking
from jobs.api import tokens
from jobs.models import Endpoint, InboxMessage, Job, Membership
from jobs.rules.errors import Conflict
from ocr_chunks import documents
from ocr_chunks.models import Document
from tests.factories import WORKER
from tests.jobs.outbox.conftest import make_endpoint
from tests.jobs.races.concurrency import threads
from training import sessions
from training.models import TrainingSession

ROUNDS = range(5)
URL = "https://example.com/{}"
Images = [sessions.NewImage("a.jpg", "hash"), sessions.NewImage("b.jpg", "hash")]
same_moment = pytest.mark.django_db(transaction=True)


@same_moment
@pytest.mark.parametrize("number", ROUNDS)
def test_of_endpoints_that_are_moved_to_one_address_one_gets_there(number: int) -> None:
    endpoints = [make_endpoint(URL.format(f"from/{n}")) for n in range(4)]
    move = partial(operations.change_endpoint, url=URL.format("to"), types=["*"], actor=None)
    with threads(4) as team:
        answers = team.at_once(*[partial(move, endpoint) for endpoint in endpoints])
    assert Endpoint.objects.filter(url=URL.format("to")).count() == 1
    assert [answer.code for answer in answers if isinstance(answer, Conflict)] == ["endpoint_exists"] * 3


@same_moment
@pytest.mark.parametrize(
    ("act", "model", "refused"),
    [
        (partial(tracking.create_job, name="one", by=WORKER), Job, 0),
        (partial(documents.create_document, name="d.pdf", project="p", page_count=60, by=WORKER), Document, 0),
        (partial(sessions.create_session, name="s", images=Images, by=WORKER), TrainingSession, 0),
        (partial(operations.add_endpoint, url="https://example.com/one", actor=None), Endpoint, 3),
        (partial(tokens.issue, "w1", projects=["p"]), User, 0),
        (partial(inbox.store_dead_letter, {"type": "t"}, reason="no", source="broker"), InboxMessage, 0),
    ],
    ids=["job", "document", "session", "endpoint", "account", "letter"],
)
def test_of_many_that_store_the_same_one_does_and_the_others_get_the_normal_answer(
    act: Callable[[], Any], model: type[models.Model], refused: int
) -> None:
    with threads(4) as team:
        answers = team.at_once(*[act] * 4)
    assert model._default_manager.count() == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == refused
    if model is User:
        assert AuthToken.objects.count() == 4
        assert Membership.objects.count() == 1


FORMS = [
    ("auth_user", User, {"username": "new", "usable_password": "false"}, "already exists"),
    ("auth_group", Group, {"name": "new"}, "already exists"),
    ("jobs_membership", Membership, {"project": "new"}, "already exists"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("form", "model", "body", "said"), FORMS, ids=[row[0] for row in FORMS])
def test_a_form_that_was_checked_before_a_rival_stored_the_same_says_that_it_exists(
    form: str, model: type[models.Model], body: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = User.objects.create_superuser("boss")
    client = Client()
    client.force_login(boss)
    body = {**body, **({"user": boss.username} if model is Membership else {})}
    unchecked = {"validate_unique": model.validate_unique, "validate_constraints": model.validate_constraints}
    stored = model.save

    def save(self: Any, *args: Any, **kwargs: Any) -> None:
        """Let the rival come first, after the checks have passed."""
        for name, check in unchecked.items():
            monkeypatch.setattr(model, name, check)
        stored(self, *args, **kwargs)

    fields = {"username": "new"} if model is User else {"name": "new"}
    model.objects.create(**({"user": boss, "project": "new"} if model is Membership else fields))
    for name in unchecked:
        monkeypatch.setattr(model, name, lambda self, **kwargs: None)
    monkeypatch.setattr(model, "save", save)
    answer = client.post(f"/admin/{form.replace('_', '/')}/add/", body)
    assert answer.status_code == 200
    assert said in answer.content.decode()
