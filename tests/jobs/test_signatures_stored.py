"""Signatures that were stored by the older rule become those of now."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from jobs.models import Item
from tests.factories import make_job

migration = import_module("jobs.migrations.0008_signatures")


def migrate() -> None:
    """What the migration does to the rows."""
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
    with django_assert_num_queries(6) as asked:
        migrate()
    assert not [query for query in asked if query["sql"].startswith("UPDATE")]
