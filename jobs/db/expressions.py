"""SQL expressions that indexes and queries share, so that a planner has no choice between indexes."""

from __future__ import annotations

from typing import Any

from django.db import models


class PhaseOfClaim(models.Func):
    """The phase of an item in the indexes of claims.

    SQLite's planner would sort all pending items of a phase for a claim, by the index of phase and status; it finds an
    expression only in these indexes. PostgreSQL has the plain column: for an expression it expects many rows of a new
    phase, and would read and sort all of them.
    """

    template = "(0 + %(expressions)s)"
    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the column."""
        return self.as_sql(compiler, connection, template="(%(expressions)s)", **context)
