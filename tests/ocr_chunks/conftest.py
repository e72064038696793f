"""What the tests of OCR share: a clock, an ear where browsers listen, and clients of the API."""

from __future__ import annotations

from tests.jobs.api.conftest import api, lead, worker
from tests.jobs.live.conftest import viewer
from tests.jobs.rules.conftest import clock, told

__all__ = ["api", "clock", "lead", "told", "viewer", "worker"]
