"""Names of jobs, projects, workers, accounts and endpoints: one spelling for names that look the same.

Keys of items are not names: they are stored exactly as sent.
"""

from __future__ import annotations

import re
from functools import lru_cache

from jobs.rules.composition import composed
from jobs.rules.errors import BadInput

# Control characters, line separators, invisible characters, and those that change the direction of text.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060\u2066-\u2069\ufeff]")


@lru_cache(maxsize=4096)  # workers send their own name with every call
def clean(text: str, *, field: str, most: int | None = None) -> str:
    """Return the name as it is stored: in Unicode's composed form (NFC), without white space at its ends.

    BadInput names the first forbidden character and its position, or the limit of a longer name.
    """
    fault, name = fault_of(text), plain(text)
    if fault:
        raise BadInput({field: f"This {fault}; remove it."})
    if most is not None and len(name) > most:
        raise BadInput({field: f"Enter at most {most} characters."})
    return name


def fault_of(text: str) -> str:
    """Describe the first forbidden character and its position; empty for a valid name."""
    found = FORBIDDEN.search(plain(text))
    return f"has the character U+{ord(found[0]):04X} at position {text.index(found[0]) + 1}" if found else ""


def plain(text: str) -> str:
    """Return the name in the form in which it would be stored, to look it up."""
    return composed(text).strip()
