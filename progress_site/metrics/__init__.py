"""Metrics for Prometheus: figures of the database, and the requests that the processes serve."""

from progress_site.metrics.requests import LiveConnections, ServedByDjango, Timed
from progress_site.metrics.views import metrics

__all__ = ["LiveConnections", "ServedByDjango", "Timed", "metrics"]
