"""Texts that begin with a given one, found by a plain index."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.db import connection
from django.db.models import Q

HIGHEST = "\U0010ffff"


def begins_with(field: str, text: str) -> Q:
    """Return the condition that a column begins with this text, as typed, in lower or upper case, or capitalised.

    Any mixture of cases would need an index of its own. SQLite uses no index for LIKE, so there it is a range.
    """
    spellings = {text, text.lower(), text.upper(), text.capitalize()}
    return reduce(or_, (_begins_with(field, each) for each in sorted(spellings)))


def _begins_with(field: str, text: str) -> Q:
    if connection.vendor == "sqlite":
        return Q(**{f"{field}__gte": text, f"{field}__lt": text + HIGHEST})
    return Q(**{f"{field}__startswith": text})
