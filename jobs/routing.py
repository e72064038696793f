"""URLs of the websockets."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path, re_path

from jobs.live import SocketLimits
from jobs.live.socket import JobSocket, unknown_address


def addresses(limits: SocketLimits | None = None) -> list[URLPattern]:
    """Return the URL patterns: the list of jobs, the jobs of a project, one job."""
    watch: Any = JobSocket(limits)
    nothing: Any = unknown_address
    return [
        path("ws/jobs", watch),
        path("ws/jobs/<int:job_id>", watch),
        path("ws/projects/<path:project>", watch),
        re_path("", nothing),
    ]


websocket_urlpatterns = addresses()
