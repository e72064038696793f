"""The order of events: a reader that continues after its last id misses none.

On SQLite ids come from a counter row that stays locked until the commit; there is one writer at a time anyway. On
PostgreSQL that row would limit the whole site, so ids come from a sequence. A lower id may then become visible after a
higher one. Readers therefore stay below the first id that a running transaction may have taken.

Before it takes ids, a transaction takes a shared advisory lock until its end. The key is the next value of the
sequence. A reader reads the sequence first, then these locks, then the events. Take an id that was given out before
the reader read the sequence. Either its transaction still has the lock, and the reader stays below it. Or the
transaction has ended, and the event is visible. Transactions of other programs do not matter.

The events of one job are in the order of their ids in any case: they are written under the lock of the job.
"""

from __future__ import annotations

from django.db import connection

# 20563 stands in the upper 16 bits of the keys of our advisory locks; the other 48 are the id.
TAKE = """
    WITH place AS MATERIALIZED (SELECT last_value + is_called::int AS id FROM jobs_event_order),
         held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared((20563::bigint << 48) | id) FROM place)
    SELECT nextval('jobs_event_order') FROM held, generate_series(1, %s)
"""
TAKE_UNSEEN = "SELECT nextval('jobs_event_order') FROM generate_series(1, %s)"
# The locks are read after the sequence, because the subquery needs its value.
HORIZON = """
    SELECT LEAST(place.id, (
        SELECT MIN(((classid::bigint & 65535) << 32) | objid::bigint)
        FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = 20563 AND place.id > 0
          AND pid <> pg_backend_pid()
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ))
    FROM (SELECT last_value + is_called::int AS id FROM jobs_event_order OFFSET 0) AS place
"""
COUNT = """
    INSERT INTO jobs_eventcounter (id, value) VALUES (1, %s)
    ON CONFLICT (id) DO UPDATE SET value = jobs_eventcounter.value + EXCLUDED.value RETURNING value
"""


def next_ids(count: int, *, outward: bool) -> list[int]:
    """Take ids for `count` events, ascending; readers of the feed wait for them if any event is outward."""
    if connection.vendor != "postgresql":
        return next_ids_of_counter(count)
    with connection.cursor() as cursor:
        cursor.execute(TAKE if outward else TAKE_UNSEEN, [count])
        return [int(row[0]) for row in cursor.fetchall()]


def next_ids_of_counter(count: int) -> list[int]:
    """Take ids from the counter row, which stays locked until the commit."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [count])
        last = int(cursor.fetchone()[0])
    return list(range(last - count + 1, last + 1))


def horizon() -> int | None:
    """Return the lowest id that an event not visible yet may have; None where no such event can exist."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(HORIZON)
        return int(cursor.fetchone()[0])
