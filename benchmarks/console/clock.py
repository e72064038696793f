"""A clock that can be set back, so that calls of today leave the rows of yesterday."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest import mock

from django.utils import timezone

_now = timezone.now


@contextmanager
def ago(minutes: float) -> Iterator[datetime]:
    """Let the calls inside happen so many minutes ago."""
    moment = _now() - timedelta(minutes=minutes)
    with mock.patch.object(timezone, "now", return_value=moment):
        yield moment
