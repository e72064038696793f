"""Forty kinds of errors, each with numbers that differ from one item to the next."""

from __future__ import annotations

PLACES = (
    "Document AI", "object store", "GPU node", "face model", "frame decoder", "embedding service", "license server",
    "page renderer",
)  # fmt: skip
PROBLEMS = (
    "no answer from the {place} after {number} s",
    "{place} refused the request: quota of {number} requests reached",
    "{place} ran out of memory at {number} MiB",
    "cannot read the answer of the {place}: byte {number} is no UTF-8 — «überlang» 文字化け",
    "{place} closed the connection (code {number})",
)
ERRORS = tuple(problem.replace("{place}", place) for problem in PROBLEMS for place in PLACES)


def error(number: int) -> str:
    """Return an error; low kinds are more frequent than high ones."""
    kind = min(number % 61, number % 97, number % 40) if number % 3 else number % len(ERRORS)
    return ERRORS[kind].replace("{number}", str(10 + number % 890))
