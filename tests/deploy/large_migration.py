"""All migrations after the first over a large table of items: `python large_migration.py 1000000` prints figures."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

ITEM: dict[str, str] = {
    "id": "x",
    "phase_id": "1",
    "key": "'scans/' || x || '.jpg'",
    "key_digest": "printf('%032x', x * 7919)",
    "payload": "'{}'",
    "result": "'{}'",
    "status": "CASE x % 10 WHEN 0 THEN 'failed' ELSE 'completed' END",
    "error": "CASE x % 10 WHEN 0 THEN 'cannot read /data/' || x || '.jpg' ELSE '' END",
    "signature": "CASE x % 10 WHEN 0 THEN 'cannot read /data/#.jpg' ELSE '' END",
}
JOB = {"id": "1", "name": "'a'", "kind": "'generic'", "metadata": "'{}'", "status": "'processing'"}
PHASE = {
    "id": "1", "job_id": "1", "code": "'items'", "label": "'Items'", "stage": "'x'", "threshold": "100",
    "trigger": "'when_settled'", "on_shortfall": "'partial'", "status": "'processing'", "listed": "1", "run": "1",
    "watermark_ttl": "900",
}  # fmt: skip


def insert(cursor: Any, table: str, given: dict[str, str], source: str) -> None:
    """Insert a row for each of the source, with plain values in all other columns that need one."""
    cursor.execute(f"PRAGMA table_info({table})")
    values = {}
    for _, name, kind, needed, *_ in cursor.fetchall():
        plain = "0" if kind.startswith(("int", "bool", "big", "small")) else "'2026-01-01 00:00:00'"
        values[name] = given.get(
            name, ("''" if kind.startswith(("var", "text", "char")) else plain) if needed else "NULL"
        )
    cursor.execute(f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} {source}")


def main(items: int) -> dict[str, Any]:
    """Fill the tables of the first migration, apply all others, and return the figures."""
    call_command("migrate", "jobs", "0001", verbosity=0)
    with connection.cursor() as cursor:
        insert(cursor, "jobs_job", JOB, "")
        insert(cursor, "jobs_phase", PHASE, "")
        numbers = f"(WITH RECURSIVE s(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM s WHERE x < {items}) SELECT x FROM s)"
        insert(cursor, "jobs_item", ITEM, f"FROM {numbers}")
    statements: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    begun, busy = time.monotonic(), time.process_time()
    with connection.execute_wrapper(note):
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(status = 'failed'), count(DISTINCT signature) FROM jobs_item")
        [kept] = cursor.fetchall()
    return {
        "rebuilds": sum('CREATE TABLE "new__jobs_item"' in sql for sql in statements),
        "item_statements": sum('"jobs_item"' in sql or " jobs_item " in sql for sql in statements),
        "kept": list(kept),
        "seconds": round(time.monotonic() - begun, 1),
        "busy": round(time.process_time() - busy, 1),
    }


sys.stdout.write(json.dumps(main(int(sys.argv[1]))) + "\n")
