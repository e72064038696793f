"""What the tests of inbound events share."""

from tests.jobs.rules.conftest import clock

__all__ = ["clock"]
