"""Links of a job's badge: whoever has one sees the job's name, status and percent, and nothing else.

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
    """The links of the job's present series; `at` makes a whole address of a path."""
    address = at(reverse("badge", args=[_signer().sign(f"{job.pk}-{job.badge_series}")]))
    return {"badge": address, "bar": f"{address}{BAR}"}


def job_of(signed: str) -> Job | None:
    """The job that a link is for; None where it is not of ours, was ended, or the job is gone."""
    try:
        job_id, _, series = _signer().unsign(signed).partition("-")
    except BadSignature:
        return None
    return Job.objects.filter(pk=int(job_id), badge_series=int(series)).first()


def _signer() -> Signer:
    return Signer(salt=SALT, sep=".")
