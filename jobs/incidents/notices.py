"""Notices of incidents: each change that people are to learn, inside the transaction that makes it.

The notifications register here. Incidents do not import them: deliveries open incidents, and notifications are
deliveries too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jobs.models import Incident
from jobs.rules.incidents import Notice

Listener = Callable[[Incident, Notice], None]
_listeners: list[Listener] = []


def register(listener: Listener) -> None:
    """Call this function with each incident that is opened, reopened, acknowledged or ended."""
    if listener not in _listeners:
        _listeners.append(listener)


def unregister(listener: Listener) -> None:
    """Call this function no longer."""
    _listeners.remove(listener)


def changed(incidents: Iterable[Incident], notice: Notice) -> None:
    """Pass on the change of these incidents. Call it inside the transaction, after the rows were written."""
    for incident in incidents:
        for listener in _listeners:
            listener(incident, notice)
