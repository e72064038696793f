"""Public links of a job's badge. A link shows the job's name, status and percent, without an account.

A link is signed for one job and its series of links. It ends with the series, with the job, or with the SECRET_KEY.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from django.core.signing import BadSignature, Signer
from django.urls import reverse

from jobs.models import Job

SALT = "jobs.badge"
BAR = "?style=bar"


class Links(TypedDict):
    """The addresses of a job's badge and of its progress bar, both SVG."""

    badge: str
    bar: str


def links(job: Job, *, at: Callable[[str], str]) -> Links:
    """Return the links of the job's present series; `at` completes a path to an address."""
    address = at(reverse("badge", args=[_signer().sign(f"{job.pk}-{job.badge_series}")]))
    return {"badge": address, "bar": f"{address}{BAR}"}


def job_of(signed: str) -> Job | None:
    """Return the job of a link; None if the link is invalid or was renewed, or the job was deleted."""
    try:
        job_id, _, series = _signer().unsign(signed).partition("-")
    except BadSignature:
        return None
    return Job.objects.filter(pk=int(job_id), badge_series=int(series)).first()


def _signer() -> Signer:
    return Signer(salt=SALT, sep=".")
