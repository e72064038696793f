"""Settings of the site with the app of the run."""

from __future__ import annotations

from progress_site.settings import *  # noqa: F403
from progress_site.settings import INSTALLED_APPS as APPS

INSTALLED_APPS = [*APPS, "benchmarks.chaos.apps.ChaosConfig"]
