"""Settings of the site with one more address: a view without work."""

from __future__ import annotations

from progress_site.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"
