"""The settings of the site, with one more address: a view that does nothing."""

from __future__ import annotations

from progress_site.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"
