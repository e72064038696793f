"""Fixtures of the tests of inbound events."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from tests.jobs.rules.conftest import clock

__all__ = ["clock"]


@pytest.fixture
def everything() -> Any:
    """A threshold of 100 percent."""
    with override_settings(COMPLETION_THRESHOLD_PERCENTAGE=100):
        yield
