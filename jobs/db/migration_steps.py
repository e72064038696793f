"""Steps of migrations: permissions of roles, statements of PostgreSQL, and changes of large tables.

While a large table changes, PostgreSQL's writers do not wait, and SQLite rebuilds it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

POSTGRESQL, SQLITE = "postgresql", "sqlite"

Step = Callable[[Any, Any], None]


class AddIndexOnline(migrations.AddIndex):
    """Add an index; on PostgreSQL without a lock against writers. The migration must not be atomic."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create the index, after one that an interrupted migration left invalid is gone."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if schema_editor.connection.vendor == POSTGRESQL:
            drop_index_online(schema_editor, self.index.name)
            schema_editor.add_index(model, self.index, concurrently=True)
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class RemoveConstraintWithNextRebuild(migrations.RemoveConstraint):
    """Remove a constraint; on SQLite the next step must rebuild the table, and does so without it.

    SQLite rebuilds a table for most changes, with all rows and indexes: ten seconds for a million items.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop the constraint, except on SQLite."""
        if schema_editor.connection.vendor != SQLITE:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddCounter(migrations.AddField):
    """Add a column of PositiveIntegerField with the default 0 of the database; on SQLite without a rebuild."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Add the column, with the same definition as a rebuild would give it."""
        if schema_editor.connection.vendor != SQLITE:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        table = schema_editor.quote_name(model._meta.db_table)
        name = schema_editor.quote_name(model._meta.get_field(self.name).column)
        column = f"{name} integer unsigned DEFAULT 0 NOT NULL CHECK ({name} >= 0)"
        schema_editor.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


class RemoveIndexOnline(migrations.RemoveIndex):
    """Remove an index; on PostgreSQL without a lock against writers. The migration must not be atomic."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop the index."""
        if schema_editor.connection.vendor == POSTGRESQL:
            drop_index_online(schema_editor, self.name)
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddCheckUnvalidated(migrations.AddConstraint):
    """Add a check; on PostgreSQL only for new rows. `validate_check` has the present ones read without a lock."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create the check."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if schema_editor.connection.vendor == POSTGRESQL:
            schema_editor.execute(f"{self.constraint.create_sql(model, schema_editor)} NOT VALID", params=None)
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


def drop_index_online(schema_editor: Any, name: str) -> None:
    """Drop an index, on PostgreSQL without a lock against writers."""
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(name)}")


def validate_check(schema_editor: Any, table: str, name: str) -> None:
    """Validate a check of PostgreSQL that was added for new rows only."""
    quote = schema_editor.quote_name
    schema_editor.execute(f"ALTER TABLE {quote(table)} VALIDATE CONSTRAINT {quote(name)}")


def on_postgresql(*statements: str) -> Step:
    """Return a step that runs these statements on PostgreSQL and does nothing elsewhere."""

    def run(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == POSTGRESQL:
            for sql in statements:
                schema_editor.execute(sql)

    return run


def grant(permissions: Mapping[str, Sequence[str]]) -> migrations.RunPython:
    """Give permissions of `jobs` to those of these roles that exist. Reversed, it takes none away."""

    def run(apps: Any, schema_editor: Any) -> None:
        database = schema_editor.connection.alias
        create_own_permissions(apps, database=database)
        known = apps.get_model("auth", "Permission").objects.using(database)
        for group in apps.get_model("auth", "Group").objects.using(database).filter(name__in=permissions):
            codes = permissions[group.name]
            group.permissions.add(*known.filter(content_type__app_label="jobs", codename__in=codes))

    return migrations.RunPython(run, migrations.RunPython.noop)


def create_own_permissions(apps: Any, *, database: str) -> None:
    """Create the permissions of `jobs` now. Django does it after the last migration, which is too late for a role."""
    config = apps.get_app_config("jobs")
    config.models_module = True
    create_permissions(config, apps=apps, using=database, verbosity=0)
    config.models_module = None
