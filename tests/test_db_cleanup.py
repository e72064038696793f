"""The cleanup of the tables between tests, and the rows that stay."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection

from jobs.db import event_order
from jobs.models import Job
from tests.db_cleanup import KEPT, empty_tables
from tests.factories import make_job

pytestmark = pytest.mark.django_db(transaction=True)


def test_roles_permissions_and_the_last_event_id_stay_and_nothing_else() -> None:
    roles = set(Group.objects.values_list("pk", "name", "permissions"))
    permissions = set(Permission.objects.values_list("pk", "content_type__model", "codename"))
    number = make_job(items=2, done=1).pk
    [last] = event_order.next_ids(1, outward=False)
    empty_tables()
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.db_table not in KEPT]
    assert [model for model in models if model.objects.exists()] == []
    assert set(Group.objects.values_list("pk", "name", "permissions")) == roles
    assert set(Permission.objects.values_list("pk", "content_type__model", "codename")) == permissions
    assert {"viewer", "operator", "lead", "worker"} <= {name for _, name, _ in roles}
    assert event_order.next_ids(1, outward=False) == [last + 1]
    assert make_job().pk > number
    assert Job.objects.count() == 1


@pytest.mark.postgres
def test_the_pool_leads_to_the_test_database_and_not_to_the_one_of_the_environment() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == (connection.settings_dict["NAME"],)
