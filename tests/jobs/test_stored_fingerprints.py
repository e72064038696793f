"""Signatures stored by the older rule: the migration replaces them."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from jobs.models import Item
from jobs.rules.error_fingerprints import signature
from tests.factories import make_job

migration = import_module("jobs.migrations.0008_signatures")


def migrate() -> None:
    """Run the function of the migration on the rows."""
    migration.sign_again(apps, SimpleNamespace(connection=connection))


@pytest.mark.django_db
def test_failed_items_get_the_signature_of_now_a_portion_at_a_time(
    monkeypatch: Any, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(migration, "PORTION", 2)
    items = Item.objects.filter(phase__job=make_job(items=8, failed=5, done=1))
    items.failed().update(error="no /in/7.png", signature="no /in/#.png")
    items.exclude(status="failed").update(error="Duplicate of image 7")
    with django_assert_max_num_queries(20):
        migrate()
    assert set(items.failed().values_list("signature", flat=True)) == {"no …"}
    assert set(items.exclude(status="failed").values_list("signature", flat=True)) == {""}


@pytest.mark.django_db
def test_what_is_right_already_is_not_written_again(django_assert_num_queries: Any) -> None:
    make_job(items=5, failed=5)
    with django_assert_num_queries(2) as asked:
        migrate()
    assert not [query for query in asked if query["sql"].startswith("UPDATE")]


@pytest.mark.django_db
def test_thousands_of_items_cost_as_many_statements_as_a_few(django_assert_num_queries: Any, monkeypatch: Any) -> None:
    job = make_job(items=5, failed=5)
    phase = job.phases.get()
    Item.objects.bulk_create(
        Item(phase=phase, key=f"more {n}", key_digest=f"{n:032x}", status="failed", error=f"no \u2026 'x' /in/{n}.png")
        for n in range(3000)
    )
    signed: list[str] = []
    monkeypatch.setattr(migration, "signature", lambda error: signed.append(error) or signature(error))
    Item.objects.filter(pk__in=list(Item.objects.failed().values_list("pk", flat=True)[:1000])).update(error="no /x/y")
    with django_assert_num_queries(3):
        migrate()
    assert set(Item.objects.failed().values_list("signature", flat=True)) == {"no \u2026 'x' \u2026", "no \u2026"}
    assert signed.count("no /x/y") == 1


@pytest.mark.django_db
def test_an_item_that_has_moved_meanwhile_is_left_alone() -> None:
    items = Item.objects.filter(phase__job=make_job(items=2, failed=2))
    first, second = items
    items.filter(pk=second.pk).update(signature="another", error="other")
    migration._write(connection, [(first.pk, first.signature, "new"), (second.pk, second.signature, "new")])
    assert list(items.order_by("pk").values_list("signature", flat=True)) == ["new", "another"]
