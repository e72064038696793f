"""POST /live-ticket: websockets for clients without a session cookie."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from jobs.live import tickets
from jobs.live.principals import Principal, accounts_of
from jobs.models import Ticket
from tests.jobs.api.conftest import Api

ADDRESS = "/live-ticket"


def test_a_token_gets_a_ticket_that_stands_for_its_account(worker: Api, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(4):
        response = worker.post(ADDRESS)
    assert (response.status_code, response.json()["expires_in"]) == (200, 60)
    assert response.headers["Cache-Control"] == "no-store"
    caller = tickets.redeem(response.json()["ticket"])
    assert caller is not None
    assert accounts_of([caller]) == {caller: worker.account}


def test_a_session_gets_a_ticket_with_the_csrf_token_only(db: None) -> None:
    viewer = User.objects.create(username="vera")
    viewer.groups.add(Group.objects.get(name="viewer"))
    client, csrf = APIClient(enforce_csrf_checks=True), "a" * 32
    client.force_login(viewer)
    assert client.post(f"/api/v1{ADDRESS}", {}, format="json").status_code == 403
    client.cookies["csrftoken"] = csrf
    answer = client.post(f"/api/v1{ADDRESS}", {}, format="json", headers={"X-CSRFToken": csrf})
    assert tickets.redeem(answer.json()["ticket"]) == Principal(token=None, session_key=client.session.session_key)


def test_every_ticket_is_another(worker: Api) -> None:
    assert worker.post(ADDRESS).json()["ticket"] != worker.post(ADDRESS).json()["ticket"]


def test_a_ticket_needs_a_token_or_a_session(db: None) -> None:
    assert APIClient().post(f"/api/v1{ADDRESS}", {}, format="json").status_code == 401
    assert not Ticket.objects.exists()


def test_an_account_that_may_not_view_jobs_gets_none(api: Any) -> None:
    response = api("").post(ADDRESS)
    assert response.status_code == 403
    assert "jobs.view_job" in response.json()["detail"]
    assert not Ticket.objects.exists()


def test_an_unknown_field_is_named(worker: Api) -> None:
    response = worker.post(ADDRESS, {"job": 7})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "job")
