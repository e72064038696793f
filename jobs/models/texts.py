"""Texts that the server composes, cut to the length of the column that keeps them."""

from __future__ import annotations

from django.db import models

from jobs.rules.formatting import clip


def fit(model: type[models.Model], column: str, text: str) -> str:
    """The text, or as much of it as this column holds, marked with an ellipsis.

    PostgreSQL refuses a longer text with an error that undoes the whole change; SQLite keeps it.
    """
    longest = model._meta.get_field(column).max_length  # type: ignore[union-attr]
    return text if longest is None else clip(text, longest)
