"""A registered act appears everywhere that acts appear, with its permission."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator

from jobs.api.acts import act_urls
from jobs.change import Change
from jobs.change.audit import audit
from jobs.console.acts.forms import ActForm
from jobs.console.admin.items import ItemAdmin
from jobs.console.admin.jobs import JobAdmin
from jobs.console.site import OperatorSite
from jobs.models import BulkAct, Item, Job
from jobs.operations import ACTS, Act, Operation, register
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import Confirmation
from jobs.operations.buttons import act_buttons, item_buttons
from jobs.operations.confirmation_text import confirmation
from jobs.operations.estimate import estimates
from jobs.operations.snapshot import JobSnapshot, snapshot_of
from jobs.rules.field_types import Percentage
from jobs.rules.statuses import JobStatus
from tests.factories import make_job, operator
from tests.jobs.pages.conftest import Browser

pytestmark = pytest.mark.django_db


class WeighInput(ActInput, kw_only=True, frozen=True):
    """The arguments of an act that only this test knows."""

    weight: Percentage


class Weigh(Operation):
    """Weigh a job."""

    name, label, past = "weigh", "Weigh", "weighed"
    verb = "pause"  # a new act has a permission of its own; a test cannot add one to the database's list
    summary = "Weigh a job"
    help = "weigh a job"
    states = (JobStatus.PENDING,)
    Arguments = WeighInput
    example = {"weight": 7}
    form_fields = ("weight",)
    item_label = "Weigh selected…"

    def execute(self, change: Change, arguments: WeighInput) -> Act:
        """Record the weight."""
        audit(change, self.verb, f"Weight {arguments.weight}.")
        return Act(1, change.job, f"Weighs {arguments.weight}.")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Return one line."""
        return Confirmation([("Will be weighed", [snapshot.job.name])], 1)


@pytest.fixture
def lead() -> Browser:
    """A browser of a lead."""
    return Browser("lead")


@pytest.fixture(autouse=True)
def weigh() -> Iterator[Weigh]:
    """The act, registered for one test."""
    act = register(Weigh())
    yield act
    del ACTS["weigh"]


def weights(job: Job) -> list[str]:
    """The weights in the timeline of a job, oldest first."""
    details = job.events.order_by("pk").values_list("detail", flat=True)
    return [detail for detail in details if "Weight " in detail]


def test_rest_runs_it_with_its_permission_and_openapi_describes_it() -> None:
    urls = (path("api/v1/", include(act_urls("jobs/<int:job_id>"))),)
    job = make_job(items=1)
    url = f"/api/v1/jobs/{job.pk}/weigh"
    with override_settings(ROOT_URLCONF=urls):
        client, stranger = Client(), Client()
        client.force_login(Browser("lead").account)
        stranger.force_login(Browser("viewer").account)
        answer = client.post(url, {"weight": 7}, content_type="application/json")
        refused = client.post(url, {"weight": 101}, content_type="application/json")
        forbidden = stranger.post(url, {"weight": 7}, content_type="application/json")
        schema = SchemaGenerator(patterns=list(urls)).get_schema(request=None, public=True)
    assert answer.json()["detail"] == "Weighs 7."
    assert refused.json()["errors"][0]["field"] == "weight"
    assert (forbidden.status_code, "jobs.pause_job" in forbidden.json()["detail"]) == (403, True)
    described = schema["paths"]["/api/v1/jobs/{job_id}/weigh"]["post"]
    assert described["summary"] == "Weigh a job"
    assert "WeighInput" in str(described["requestBody"])


def test_the_list_of_acts_over_rest_has_it() -> None:
    client = Client()
    client.force_login(Browser("viewer").account)
    row = next(row for row in client.get("/api/v1/acts").json()["results"] if row["name"] == "weigh")
    assert row["permission"] == "jobs.pause_job"
    assert row["states"] == ["pending"]
    assert row["arguments"]["required"] == ["weight"]


def test_the_buttons_of_a_job_and_of_its_items_have_it(weigh: Weigh) -> None:
    job, lead = make_job(items=1), operator("pause")
    [button] = [button for button in act_buttons(snapshot_of(job), lead) if button.act is weigh]
    assert (button.label, button.url, button.possible) == ("Weigh…", f"/admin/jobs/job/{job.pk}/weigh/", True)
    assert weigh in [button.act for button in item_buttons(snapshot_of(job), lead)]


def test_a_page_confirms_it(lead: Browser) -> None:
    job = make_job(items=1)
    url = f"/admin/jobs/job/{job.pk}/weigh/"
    assert "Will be weighed" in lead.open(url).text
    assert "7" in lead.confirm(url, weight="7").text
    assert weights(job) == ["Weight 7."]


def test_the_form_asks_for_its_arguments_within_their_bounds(weigh: Weigh) -> None:
    assert "weight" in ActForm({"weight": "101"}, act=weigh).errors
    assert ActForm({"weight": "100"}, act=weigh).is_valid()


def test_an_account_without_the_permission_learns_which_one_it_lacks(weigh: Weigh) -> None:
    why_not = confirmation(weigh, snapshot_of(make_job(items=1)), operator("retry"), Scope()).why_not
    assert why_not.startswith("Needs the permission")


def test_it_is_refused_in_another_state(weigh: Weigh) -> None:
    why_not = confirmation(weigh, snapshot_of(make_job(items=1, done=1)), operator("pause"), Scope()).why_not
    assert "possible while it is pending" in why_not


def test_lists_offer_it(weigh: Weigh) -> None:
    assert weigh in JobAdmin(Job, OperatorSite()).offered_acts()
    assert weigh in ItemAdmin(Item, OperatorSite()).offered_acts()


def test_it_is_done_to_many_jobs(lead: Browser, weigh: Weigh) -> None:
    several = [make_job(items=1), make_job(items=1)]
    assert [each.changes for each in estimates(weigh, several, lead.account, Scope())] == [1, 1]
    lead.confirm(f"/admin/jobs/job/act/weigh/?job={several[0].pk}&job={several[1].pk}", weight="7")
    assert BulkAct.objects.get().act == "weigh"
    assert [weights(job) for job in several] == [["Weight 7."], ["Weight 7."]]


def test_the_command_line_has_it() -> None:
    job = make_job(items=1)
    call_command("jobs", "weigh", job.name, "--weight", "7")
    assert weights(job) == ["Weight 7."]
    with pytest.raises(CommandError, match=r"jobs\.pause_job"):
        call_command("jobs", "weigh", job.name, "--weight", "7", "--as", operator("retry").username)


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="already"):
        register(Weigh())
