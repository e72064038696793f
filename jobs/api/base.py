"""Base of the API's views: permissions, lookup of jobs and phases, responses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.db import connection
from django.http import HttpResponse
from django.urls import reverse
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from jobs.access import Access, access_of
from jobs.api.worker_calls import Target, WorkerCall
from jobs.change import Actor
from jobs.models import Job, Phase
from jobs.rules.errors import NotFound
from jobs.rules.limits import LARGEST_INTEGER
from jobs.serializers import encode, phase_body
from jobs.tracking.apply_calls import alone

if TYPE_CHECKING:
    from django.contrib.auth.models import User

USER_AGENT = re.compile(r"progress_client/[\w.]{1,20} \(([ -\'*-~]{1,100})\)", re.ASCII)
PROJECT_OF_PHASE = """
    SELECT j.project
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
        """Check the method and the permission after authentication.

        Objects are loaded only afterwards, so an account without the permission learns nothing about their existence.
        """
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        self.access = access_of(request.user)
        for permission in self.needs(str(request.method)):
            self.access.require(permission)
        for name, value in kwargs.items():
            if isinstance(value, int) and value > LARGEST_INTEGER:  # no database compares it with an id
                raise NotFound(f"There is no {name.removesuffix('_id')} {value}.")

    @classmethod
    def needs(cls, method: str) -> tuple[str, ...]:
        """Return the permissions that this method needs."""
        return (cls.reads if method in SAFE_METHODS else cls.writes,)

    def job(self, job_id: int) -> Job:
        """Return the job by its id; NotFound if it is missing or not visible to the account."""
        job = Job.objects.filter(pk=job_id).first()
        if job is None or not self.access.sees(job.project):
            raise NotFound(f"There is no job {job_id}.")
        return job

    def phase(self, job_id: int, code: str) -> Phase:
        """Return the phase with its job in one query; NotFound if it is missing or not visible to the account."""
        phases = Phase.objects.select_related("job").filter(job_id=job_id, code=code)
        phase = None if "\0" in code else phases.first()
        if phase is None or not self.access.sees(phase.job.project):
            raise _no_phase(job_id, code)
        return phase

    def require_phase(self, job_id: int, code: str) -> None:
        """Raise NotFound if the phase is missing or not visible to the account; one query."""
        if "\0" in code:
            raise _no_phase(job_id, code)
        with connection.cursor() as cursor:
            cursor.execute(PROJECT_OF_PHASE, [job_id, code])
            row = cursor.fetchone()
        if row is None or not self.access.sees(row[0]):
            raise _no_phase(job_id, code)

    def answer(self, kind: WorkerCall, given: Any, *, job_id: int = 0, code: str = "") -> HttpResponse:
        """Make a call of a worker in a transaction of its own, and return its response."""
        by = self.actor(kind.worker(given), version=getattr(given, "version", ""))
        answer = alone(kind.call(given, Target(by, self.access, job_id, code)))
        phase = kind.phase(answer)
        body = kind.body(answer, phase_body(phase) if phase else None)
        return json_response(body, headers=dict(kind.headers(answer)))

    @property
    def account(self) -> User:
        """The account that calls; `initial` has refused anonymous calls."""
        return cast("User", self.request.user)

    def actor(self, worker: str = "", *, version: str = "") -> Actor:
        """Return the actor: the account, with the name and version that the worker gives itself."""
        return Actor(account=self.account, name=worker, version=version or client_version(self.request))


def _no_phase(job_id: int, code: str) -> NotFound:
    return NotFound(f"Job {job_id} has no phase {code!r}.")


def client_version(request: Request) -> str:
    """Return the version of a worker's program from a User-Agent like `progress_client/1.0.0 (ocr-1.4.2)`."""
    return version_of(request.headers.get("User-Agent", ""))


def version_of(user_agent: str) -> str:
    """Return the version in this User-Agent; empty without one."""
    match = USER_AGENT.fullmatch(user_agent)
    return match[1].strip() if match else ""


def created_response(body: Any, *, is_new: bool, page: str) -> HttpResponse:
    """Return 201 with the address of what was created, or 200 where it existed. `page` is the name of its URL."""
    if not is_new:
        return json_response(body)
    return json_response(body, status=201, headers={"Location": reverse(page, args=[body["id"]])})


def json_response(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """Return a body as a JSON response."""
    return HttpResponse(encode(body), content_type="application/json", status=status, headers=headers)
