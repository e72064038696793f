"""The door of the badge's links."""

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
    """With `renew` the links that were given out before show nothing any more."""

    renew: bool = False


class Badge(ActView):
    """The badge of a job, for pages of others."""

    writes: ClassVar[str] = "share_job"

    @operation(
        summary="Get the links of a job's badge",
        tag="acts",
        body=BadgeInput,
        answer=Links,
        errors=(404,),
        send={"renew": True, "reason": "The link was on a public page."},
    )
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Images that show name, status and percent to whoever has the link, without an account; asked for whenever."""
        job = self.job(job_id)
        given = decode_body(request, BadgeInput)
        if given.renew:
            job = operations.renew_badge(job, reason=given.reason, actor=self.account).job
        return json_response(links(job, at=request.build_absolute_uri))
