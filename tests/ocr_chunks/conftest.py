"""Fixtures of the OCR tests: a clock, a live-channel listener and API clients."""

from __future__ import annotations

from tests.jobs.api.conftest import api, lead, worker
from tests.jobs.live.conftest import viewer
from tests.jobs.rules.conftest import broadcasts, clock

__all__ = ["api", "broadcasts", "clock", "lead", "viewer", "worker"]
