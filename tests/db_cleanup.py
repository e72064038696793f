"""The cleanup after a test that commits: quick, and down to the rows of the migrations.

Django's own flush touches every table, full or not, and deletes the roles, permissions and content types. It creates
the content types again under other ids, which a server that runs through several tests would not notice. Ids are never
given out twice, as at a real site.
"""

from __future__ import annotations

from functools import cache

from django.db import connection, transaction

KEPT = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
    "jobs_eventcounter",
}


@cache
def tables() -> tuple[str, ...]:
    """Return the tables that a test may fill."""
    known = connection.introspection.django_table_names()
    return tuple(connection.ops.quote_name(table) for table in known if table not in KEPT)


def filled() -> list[str]:
    """Return the tables that have a row, found in one statement."""
    asked = [f"SELECT {number} WHERE EXISTS (SELECT 1 FROM {table})" for number, table in enumerate(tables())]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked))
        return [tables()[number] for (number,) in cursor.fetchall()]


def empty_tables() -> None:
    """Delete every row that is not kept. Keys to other tables are checked at the commit, so the order is free."""
    with transaction.atomic():
        for table in filled():
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {table}")
