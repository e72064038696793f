"""What every door does: check the permission, find the job or phase within sight, answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.db import connection
from django.http import HttpResponse
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from jobs.access import Access, access_of
from jobs.change import Actor
from jobs.models import Job, Phase
from jobs.rules.errors import NotFound
from jobs.rules.limits import LARGEST_INTEGER
from jobs.serializers import encode

if TYPE_CHECKING:
    from django.contrib.auth.models import User

USER_AGENT = re.compile(r"progress_client/[\w.]{1,20} \(([ -\'*-~]{1,100})\)", re.ASCII)
PHASE_TO_REPORT = """
    SELECT p.id, p.job_id, j.project
      FROM jobs_phase p
      JOIN jobs_job j ON j.id = p.job_id
     WHERE p.job_id = %s AND p.code = %s
"""


class APIBaseView(APIView):
    """A view of the API. `reads` and `writes` are the permissions that its methods need."""

    reads: ClassVar[str] = "view_job"
    writes: ClassVar[str] = "report_job"
    access: Access

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After authentication: is there this method, and may the account use it? Only then does anything look for the
        object, so that neither its existence nor its state shows to an account without the permission."""
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        self.access = access_of(request.user)
        for permission in self.needs(str(request.method)):
            self.access.require(permission)

    @classmethod
    def needs(cls, method: str) -> tuple[str, ...]:
        """The permissions that this method needs."""
        return (cls.reads if method in SAFE_METHODS else cls.writes,)

    def job(self, job_id: int) -> Job:
        """The job by its id; NotFound where it is missing or out of sight."""
        job = Job.objects.filter(pk=job_id).first()
        if job is None or not self.access.sees(job.project):
            raise NotFound(f"There is no job {job_id}.")
        return job

    def phase(self, job_id: int, code: str) -> Phase:
        """The phase with its job in one query; NotFound where it is missing or out of sight."""
        phases = Phase.objects.select_related("job").filter(job_id=job_id, code=code)
        phase = None if "\0" in code else phases.first()
        if phase is None or not self.access.sees(phase.job.project):
            raise _no_phase(job_id, code)
        return phase

    def phase_to_report(self, job_id: int, code: str) -> Phase:
        """Like `phase`, for the busiest door: its ids alone, everything else is loaded if somebody asks for it."""
        if job_id > LARGEST_INTEGER or "\0" in code:
            raise _no_phase(job_id, code)
        with connection.cursor() as cursor:
            cursor.execute(PHASE_TO_REPORT, [job_id, code])
            row = cursor.fetchone()
        if row is None or not self.access.sees(row[2]):
            raise _no_phase(job_id, code)
        return Phase.from_db(connection.alias, ["id", "job_id"], row[:2])

    @property
    def account(self) -> User:
        """Who calls; `initial` let nobody in without an account."""
        return cast("User", self.request.user)

    def actor(self, worker: str = "", *, version: str = "") -> Actor:
        """Who acts: the account, under the name and version that the worker gives itself."""
        return Actor(account=self.account, name=worker, version=version or client_version(self.request))


def _no_phase(job_id: int, code: str) -> NotFound:
    return NotFound(f"There is no phase {code!r} of a job {job_id}.")


def client_version(request: Request) -> str:
    """The version of a worker's program as the client package tells it: `progress_client/1.0.0 (ocr-1.4.2)`."""
    told = USER_AGENT.fullmatch(request.headers.get("User-Agent", ""))
    return told[1].strip() if told else ""


def json_response(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A body as JSON."""
    return HttpResponse(encode(body), content_type="application/json", status=status, headers=headers)
