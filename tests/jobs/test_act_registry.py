"""A registered act appears everywhere that acts appear, with its permission."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator

from jobs.api.acts import act_urls
from jobs.change import Change
from jobs.change.audit import audit
from jobs.console.admin.jobs import JobAdmin
from jobs.console.forms import ActForm
from jobs.console.site import OperatorSite
from jobs.models import Job
from jobs.operations import ACTS, Act, Operation, register
from jobs.operations.arguments import ActInput, Percentage, Scope
from jobs.operations.base import Confirmation
from jobs.operations.bulk.create import order_of, scope_body
from jobs.operations.buttons import act_buttons
from jobs.operations.confirmation_text import confirmation
from jobs.operations.estimate import estimates
from jobs.operations.snapshot import snapshot_of
from jobs.rules.statuses import JobStatus
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db


class WeighInput(ActInput, kw_only=True, frozen=True):
    """The arguments of an act that only this test knows."""

    weight: Percentage


class Weigh(Operation):
    """Weigh a job."""

    name, label, past = "weigh", "Weigh", "weighed"
    summary = "Weigh a job"
    help = "weigh a job"
    states = (JobStatus.PENDING,)
    Arguments = WeighInput
    example = {"weight": 7}
    form_fields = ("weight",)

    @property
    def permission(self) -> str:
        """A permission that exists."""
        return "jobs.pause_job"

    @property
    def verb(self) -> str:
        """The verb of that permission."""
        return "pause"

    def execute(self, change: Change, arguments: WeighInput) -> Act:
        """Record the weight."""
        change.job.metadata = {"weight": arguments.weight}
        audit(change, self.verb, f"Weight {arguments.weight}.")
        return Act(1, change.job, f"Weighs {arguments.weight}.")

    def describe(self, snapshot: Any, scope: Scope) -> Confirmation:
        """One line."""
        return Confirmation([("Will be weighed", [snapshot.job.name])], 1)


@pytest.fixture(autouse=True)
def weigh() -> Iterator[Weigh]:
    """The act, registered for one test."""
    act = register(Weigh())
    yield act
    del ACTS["weigh"]


@pytest.fixture
def lead() -> User:
    """An account with every permission of operators."""
    return make_user("lead")


def test_rest_runs_it_and_openapi_describes_it(lead: User) -> None:
    urls = SimpleNamespace(urlpatterns=[path("api/v1/", include(act_urls("jobs/<int:job_id>")))])
    job = make_job(items=1)
    with override_settings(ROOT_URLCONF=urls):
        client = Client()
        client.force_login(lead)
        answer = client.post(f"/api/v1/jobs/{job.pk}/weigh", {"weight": 7}, content_type="application/json")
        refused = client.post(f"/api/v1/jobs/{job.pk}/weigh", {"weight": 101}, content_type="application/json")
        schema = SchemaGenerator(patterns=urls.urlpatterns).get_schema(request=None, public=True)
    assert answer.json()["detail"] == "Weighs 7."
    assert refused.json()["errors"][0]["field"] == "weight"
    assert "WeighInput" in str(schema["paths"]["/api/v1/jobs/{job_id}/weigh"])


def test_the_list_of_acts_over_rest_has_it(lead: User) -> None:
    client = Client()
    client.force_login(lead)
    row = next(row for row in client.get("/api/v1/acts").json()["results"] if row["name"] == "weigh")
    assert row["permission"] == "jobs.pause_job"
    assert row["states"] == ["pending"]
    assert row["arguments"]["required"] == ["weight"]


def test_pages_offer_and_confirm_it(lead: User, weigh: Weigh) -> None:
    job = make_job(items=1)
    assert "weigh" in [button.act.name for button in act_buttons(snapshot_of(job), lead)]
    described = confirmation(weigh, snapshot_of(job), lead, Scope())
    assert ("Will be weighed", [job.name]) in described.lines
    assert "weigh" in str([pattern.pattern for pattern in OperatorSite().get_urls()])
    form = ActForm({"weight": "101"}, act=weigh)
    assert "weight" in form.errors


def test_an_account_without_the_permission_is_told_which_one(weigh: Weigh) -> None:
    viewer = make_user("viewer")
    why_not = confirmation(weigh, snapshot_of(make_job(items=1)), viewer, Scope()).why_not
    assert why_not.startswith("Needs the permission")


def test_lists_and_bulk_acts_have_it(lead: User, weigh: Weigh) -> None:
    assert "weigh" in JobAdmin(Job, OperatorSite()).offered_acts()
    [estimate] = estimates(weigh, [make_job(items=1)], lead, Scope())
    assert estimate.changes == 1
    kept = scope_body(Scope(extra=(("weight", 7),)))
    bulk = SimpleNamespace(act="weigh", scope=kept, reason="")
    assert weigh.arguments_of(order_of(bulk, SimpleNamespace(items=None)).scope) == {"weight": 7}


def test_the_command_line_has_it() -> None:
    job = make_job(items=1)
    call_command("jobs", "weigh", job.name, "--weight", "7")
    job.refresh_from_db()
    assert job.metadata == {}
    assert job.event_set.filter(type="operator.pause", detail="Weight 7.").exists()


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="already"):
        register(Weigh())
