"""Steps of migrations on large tables: PostgreSQL's writers do not wait, and SQLite rebuilds a table once."""

from __future__ import annotations

from typing import Any

from django.db import migrations

POSTGRESQL, SQLITE = "postgresql", "sqlite"


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
