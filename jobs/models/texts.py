"""Texts that the server composes, cut to the length of their column."""

from __future__ import annotations

from django.db import models

from jobs.rules.formatting import clip


def fit(model: type[models.Model], column: str, text: str) -> str:
    """Cut a text to the length of this column and mark the cut with an ellipsis.

    PostgreSQL refuses a longer text with an error that rolls back the whole change; SQLite stores it.
    """
    longest = model._meta.get_field(column).max_length  # type: ignore[union-attr]
    return text if longest is None else clip(text, longest)
