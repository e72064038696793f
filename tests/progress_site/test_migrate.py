"""`manage.py migrate` on the way: seconds of long migrations, and tables that SQLite rebuilds once."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from django.db import connection, models
from django.db.migrations.state import ModelState, ProjectState

from jobs.db.migration_steps import AddCounter, RemoveConstraintWithNextRebuild
from jobs.management.commands import migrate


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what the command writes during a migration of so many seconds."""

    def run(seconds: float, verbosity: int = 1) -> str:
        output = io.StringIO()
        command = migrate.Command(stdout=output, no_color=True)
        command.verbosity = verbosity
        command.migration_progress_callback("apply_start", "jobs.0017_item_keys")
        time.sleep(seconds)
        command.migration_progress_callback("apply_success", "jobs.0017_item_keys")
        return output.getvalue()

    monkeypatch.setattr(migrate, "SHOW_EVERY", 0.4)
    return run


def test_a_long_migration_shows_its_seconds_while_it_runs_and_after_it(written: Any) -> None:
    said = written(1.1)
    assert said.startswith("  Applying jobs.0017_item_keys... 0 s …")
    assert said.endswith(" (1 s) OK\n")


def test_a_short_one_looks_as_it_does_with_django(written: Any) -> None:
    assert written(0) == "  Applying jobs.0017_item_keys... OK\n"
    assert written(0, verbosity=0) == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite rebuilds tables")
def test_a_counter_is_added_to_a_table_of_sqlite_as_a_rebuild_would_define_it_but_without_one() -> None:
    fields: list[tuple[str, models.Field[Any, Any]]] = [("id", models.BigAutoField(primary_key=True))]
    before = ProjectState()
    before.add_model(ModelState("jobs", "Probe", fields))
    counter = models.PositiveIntegerField(db_default=0, default=0)
    after = before.clone()
    step = AddCounter("probe", "failures", counter)
    step.state_forwards("jobs", after)
    with connection.schema_editor(atomic=True) as editor:
        editor.create_model(before.apps.get_model("jobs", "Probe"))
    try:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO jobs_probe (id) VALUES (1)")
            cursor.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs_probe'")
            page = cursor.fetchone()
        with connection.schema_editor(atomic=True) as editor:
            step.database_forwards("jobs", editor, before, after)
        added = definition()
        assert root_page() == page, "the table was rebuilt"
        with connection.cursor() as cursor:
            cursor.execute("SELECT failures FROM jobs_probe")
            assert cursor.fetchone() == (0,)
        with connection.schema_editor(atomic=True) as editor:
            editor._remake_table(after.apps.get_model("jobs", "Probe"))
        assert added == definition()
    finally:
        with connection.schema_editor(atomic=True) as editor:
            editor.delete_model(after.apps.get_model("jobs", "Probe"))


def definition() -> list[tuple[Any, ...]]:
    """Return the columns of the table."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA table_info(jobs_probe)")
        return list(cursor.fetchall())


def root_page() -> Any:
    """Return the page of the file where the table begins; a rebuilt table begins at another one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs_probe'")
        return cursor.fetchone()


def test_a_constraint_of_sqlite_is_left_to_the_next_rebuild() -> None:
    class Editor:
        connection = type("Connection", (), {"vendor": "sqlite"})

    step = RemoveConstraintWithNextRebuild("item", "item_key_once_per_phase")
    step.database_forwards("jobs", Editor(), ProjectState(), ProjectState())
