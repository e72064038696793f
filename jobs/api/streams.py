"""The doors of the streams: live state of jobs as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from jobs.access import Access
from jobs.api.base import APIBaseView
from jobs.api.query_params import StreamQuery
from jobs.api.request_decoding import decode_query
from jobs.api.schema import operation
from jobs.live.job_messages import OVER
from jobs.live.sse import MEDIA_TYPE, JobUpdates, Limits, Principal
from jobs.live.topics import Topic
from jobs.models import Job
from jobs.rules.errors import BadInput, NotFound, NotPermitted
from jobs.rules.limits import LARGEST_INTEGER

NO_CONTENT = 204
LIMITS = Limits()


class StreamRenderer(BaseRenderer):
    """Takes part in the choice of the media type only; a stream is written by its door."""

    media_type = MEDIA_TYPE
    format = "sse"
    charset = None


def streamed(request: Request, begin: Callable[[], AsyncIterator[bytes]]) -> HttpResponseBase:
    """The response that sends these messages; nothing begins for HEAD."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return HttpResponse(content_type=MEDIA_TYPE, headers=headers)
    return StreamingHttpResponse(_begun(begin), content_type=MEDIA_TYPE, headers=headers)


async def _begun(begin: Callable[[], AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
    """What belongs to the event loop is made there."""
    async for text in begin():
        yield text


def last_event_id(request: Request) -> int | None:
    """Where a listener that comes back was, None for a new one; BadInput unless it is one of our ids."""
    given = request.headers.get("Last-Event-ID", "").strip()
    if not given:
        return None
    if not (
        given.isascii()
        and given.isdigit()
        and len(given) <= len(str(LARGEST_INTEGER))
        and int(given) <= LARGEST_INTEGER
    ):
        raise BadInput({"Last-Event-ID": "This is no id of a message."})
    return int(given)


class StreamBaseView(APIBaseView):
    """A door that answers with a stream."""

    renderer_classes = [StreamRenderer]

    def stream(self, request: Request, choose: Callable[[Access], Topic], *, seen: int | None) -> HttpResponseBase:
        """What is chosen within the account's sight, for as long as the account may see it."""
        topic, caller = choose(self.access), Principal.of(request)

        def ask() -> Topic:
            access = caller.access()
            access.require(self.reads)
            return choose(access)

        return streamed(request, lambda: JobUpdates(topic, ask=ask, seen=seen, limits=LIMITS).messages())


class JobStream(StreamBaseView):
    """One job, live."""

    @operation(summary="Watch a job", answer=str, media=MEDIA_TYPE, errors=(400, 404), also={204: "It is over."})
    def get(self, request: Request, job_id: int) -> HttpResponseBase:
        """The websocket's messages as server-sent events: a snapshot, then every change; `id` is the revision.

        With `Last-Event-ID` only what is newer. The stream ends ten seconds after the job was completed or cancelled;
        a listener that has seen that state gets 204 and need not come again.
        """
        job, seen = self.job(job_id), last_event_id(request)
        if seen is not None and seen >= job.revision and job.status in OVER:
            return HttpResponse(status=NO_CONTENT)
        return self.stream(request, partial(_job, job_id), seen=seen)


class Stream(StreamBaseView):
    """The list of jobs, live."""

    @operation(summary="Watch the jobs", answer=str, media=MEDIA_TYPE, errors=(400,), query=StreamQuery)
    def get(self, request: Request) -> HttpResponseBase:
        """The unfinished jobs and those that finished last: a snapshot, then every change; `id` is the job's revision.

        A listener that comes back gets a snapshot again.
        """
        project = decode_query(request, StreamQuery).project
        last_event_id(request)
        return self.stream(request, partial(_jobs, project), seen=None)


def _job(job_id: int, access: Access) -> Topic:
    project = Job.objects.filter(pk=job_id).values_list("project", flat=True).first()
    if project is not None and not access.sees(project):
        raise NotFound(f"There is no job {job_id}.")
    return Topic(job=job_id)


def _jobs(project: str, access: Access) -> Topic:
    if not project:
        return Topic(projects=access.projects)
    if not access.sees(project):
        raise NotPermitted(f"The project {project!r} is out of reach.")
    return Topic(projects=frozenset({project}))
