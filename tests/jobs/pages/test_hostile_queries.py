"""Query strings that no page can have written: every list answers with less than an error of the server."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import ForeignKey, IntegerField, Model
from django.urls import reverse
from django.utils.http import urlencode

from tests.factories import make_job

pytestmark = pytest.mark.django_db
NUL, HUGE, SIGN, SURROGATE = "a\0b", "9" * 30, "²", b"\xed\xa0\x80"
NUMBERS = (ForeignKey, IntegerField)
VALUES = [NUL, HUGE, SURROGATE]
# The names that a page reads. A list that does not know one answers with a redirect.
LISTS = {
    "admin:jobs_job_changelist": "q p o all status kind stuck partial finished id__exact",
    "admin:jobs_item_changelist": "q p status worker",
    "admin:jobs_event_changelist": "q p outward__exact after",
    "admin:jobs_delivery_changelist": "q p status endpoint",
    "admin:jobs_worker_changelist": "q p state holding",
    "admin:ocr_chunks_document_changelist": "q p status project",
    "admin:training_trainingimage_changelist": "q p status duplicate session",
    "admin:auth_user_changelist": "q p is_staff__exact groups__id__exact",
    "admin:index": "q p kind project status",
    "admin:errors": "q kind project status since order signature",
}


def addresses() -> list[tuple[str, str]]:
    """Return each list with each of its names."""
    return [(page, name) for page, names in LISTS.items() for name in names.split()]


@pytest.fixture
def client_of_lead(lead: Any) -> Any:
    """Sign in an account that may open every page; a failure is an answer of 500, as in production."""
    lead.account.user_permissions.set(Permission.objects.all())
    lead.client.raise_request_exception = False
    make_job(items=2, failed=1)
    return lead.client


def test_no_value_of_a_filter_is_an_error_of_the_server(client_of_lead: Any) -> None:
    wrong = [
        (page, name, value)
        for page, name in addresses()
        for value in VALUES
        if client_of_lead.get(f"{reverse(page)}?{urlencode({name: value})}").status_code >= 500
    ]
    assert not wrong


def test_no_number_in_a_plain_lookup_is_an_error_of_the_server(client_of_lead: Any) -> None:
    wrong = [
        (model._meta.label, name, page)
        for model in admin.site._registry
        for name in (field.name for field in model._meta.concrete_fields if isinstance(field, NUMBERS))
        for page in ("changelist", "export.csv")
        if client_of_lead.get(f"{list_of(model, page)}?{name}={HUGE}").status_code >= 500
    ]
    assert not wrong


def list_of(model: type[Model], page: str) -> str:
    """Return the address of a list, or of its export; lists without one answer 404."""
    changelist = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return changelist if page == "changelist" else changelist + page


def test_no_value_of_a_filter_of_a_job_is_an_error_of_the_server(client_of_lead: Any) -> None:
    page = reverse("admin:job-page", args=[make_job(items=2).pk])
    wrong = [
        (name, value)
        for name in ("status", "q", "worker", "range", "before")
        for value in [*VALUES, f"{HUGE}-{HUGE}"]
        if client_of_lead.get(f"{page}?{urlencode({name: value})}").status_code >= 500
    ]
    assert not wrong


@pytest.mark.parametrize("pk", [HUGE, NUL, "0", "-1", SIGN])
def test_no_id_in_an_address_is_an_error_of_the_server(client_of_lead: Any, pk: str) -> None:
    for model in ("job", "item", "event", "delivery", "endpoint", "worker"):
        response = client_of_lead.get(f"/admin/jobs/{model}/{urlencode({'': pk})[1:]}/change/")
        assert response.status_code < 500, model
