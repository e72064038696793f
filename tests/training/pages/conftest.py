"""Browsers of operators, one per role."""

from __future__ import annotations

from tests.jobs.pages.conftest import browser, lead

__all__ = ["browser", "lead"]
