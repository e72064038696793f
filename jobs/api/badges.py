"""REST call for the links of a job's badge."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from jobs import operations
from jobs.api.acts import ActView
from jobs.api.badge_links import Links, links
from jobs.api.base import json_response
from jobs.api.request_decoding import decode_body
from jobs.api.schema import operation
from jobs.operations.arguments import ActInput


class BadgeInput(ActInput, kw_only=True, frozen=True):
    """With `renew` all earlier links stop working."""

    renew: bool = False


class Badge(ActView):
    """Badge of a job, for pages outside this site."""

    writes: ClassVar[str] = "share_job"

    @operation(
        id="createBadgeLinks",
        summary="Get the links of a job's badge",
        tag="acts",
        body=BadgeInput,
        answer=Links,
        errors=(404,),
        send={"renew": True, "reason": "The link was on a public page."},
    )
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Return the addresses of images that show name, status and percent to anyone, without an account.

        Call it again to see the same links.
        """
        job = self.job(job_id)
        given = decode_body(request, BadgeInput)
        if given.renew:
            job = operations.renew_badge(job, reason=given.reason, actor=self.account).job
        return json_response(links(job, at=request.build_absolute_uri))
