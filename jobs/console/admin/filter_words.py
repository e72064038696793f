"""Filters that are typed as words: `status=failed metadata.customer="Acme Ltd" scan`. Pure text."""

from __future__ import annotations

import re
from collections.abc import Collection

# The attribute of a filter that names its further parameters; one that ends in a dot is a prefix.
FILTER_FIELD = "typed_parameters"
WORD = re.compile(r'(?P<name>[a-z_]{1,20}(?:\.[^\s="]{1,100})?)=(?:"(?P<quoted>[^"]{0,200})"|(?P<plain>[^\s"]{1,200}))')
SEARCH = "q"


def parameters_of(text: str, *, known: Collection[str]) -> list[tuple[str, str]]:
    """Return the known filters in a text as (parameter, value), then the rest of the text as `q`; nothing without one.

    Words with other names stay a part of the search.
    """
    found: list[tuple[str, str]] = []

    def take(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in known and f"{name.partition('.')[0]}." not in known:
            return match[0]
        found.append((name, match["quoted"] if match["quoted"] is not None else match["plain"]))
        return " "

    rest = WORD.sub(take, text)
    return [*found, (SEARCH, " ".join(rest.split()))] if found else []
