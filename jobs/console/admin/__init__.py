"""The lists of the admin. Workers own the data, so the lists are read-only; acts have their own pages."""

from jobs.console.admin import (
    accounts,
    bulk,
    channels,
    dead_letters,
    deliveries,
    endpoints,
    items,
    jobs,
    limits,
    tokens,
    workers,
)

__all__ = [
    "accounts",
    "bulk",
    "channels",
    "dead_letters",
    "deliveries",
    "endpoints",
    "items",
    "jobs",
    "limits",
    "tokens",
    "workers",
]
