"""REST calls for streams: live state of jobs as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from jobs.api.base import APIBaseView
from jobs.api.query_params import StreamQuery
from jobs.api.request_decoding import decode_query
from jobs.api.schema import operation
from jobs.live.authorization import Grant, WatchRequest
from jobs.live.job_messages import is_over
from jobs.live.principals import Principal
from jobs.live.sse import MEDIA_TYPE, JobUpdates, StreamLimits
from jobs.live.topics import Topic
from jobs.rules.errors import BadInput, NotPermitted
from jobs.rules.limits import LARGEST_INTEGER
from jobs.serializers import job_body

NO_CONTENT = 204
LISTENER = ("Last-Event-ID",)
LIMITS = StreamLimits()
ID_DIGITS = len(str(LARGEST_INTEGER))


class StreamRenderer(BaseRenderer):
    """Renderer that only takes part in the choice of the media type; the view writes the stream."""

    media_type = MEDIA_TYPE
    format = "sse"
    charset = None


def streamed(request: Request, begin: Callable[[], AsyncIterator[bytes]]) -> HttpResponseBase:
    """Return the response that sends these messages; HEAD starts no stream."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return HttpResponse(content_type=MEDIA_TYPE, headers=headers)
    return StreamingHttpResponse(_begun(begin), content_type=MEDIA_TYPE, headers=headers)


async def _begun(begin: Callable[[], AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
    """Create the stream on the event loop that it belongs to."""
    async for text in begin():
        yield text


def last_event_id(request: Request) -> int | None:
    """Return the id of the last message that the listener has, None without one; BadInput for an invalid id."""
    given = request.headers.get("Last-Event-ID", "").strip()
    if not given:
        return None
    is_number = given.isascii() and given.isdigit() and len(given) <= ID_DIGITS
    if not is_number or int(given) > LARGEST_INTEGER:
        raise BadInput({"Last-Event-ID": "Enter the id of a message of this stream."})
    return int(given)


class StreamBaseView(APIBaseView):
    """Base of the calls that answer with a stream."""

    renderer_classes = [StreamRenderer]

    def stream(
        self,
        request: Request,
        topic: Topic,
        *,
        job_id: int | None = None,
        project: str | None = None,
        seen: int | None = None,
    ) -> HttpResponseBase:
        """Stream the topic for as long as the account may see it."""
        watch = WatchRequest(Principal.of(request), job_id=job_id, project=project)
        grant = Grant(self.account.pk, self.access, topic)
        return streamed(request, lambda: JobUpdates(watch, grant, seen=seen, limits=LIMITS).messages())


class JobStream(StreamBaseView):
    """Live state of one job."""

    @operation(
        id="watchJob",
        summary="Watch a job",
        answer=str,
        media=MEDIA_TYPE,
        errors=(400, 404),
        takes=LISTENER,
        also={204: "The job is over."},
    )
    def get(self, request: Request, job_id: int) -> HttpResponseBase:
        """Send the websocket's messages as server-sent events: a snapshot, then every change; `id` is the revision.

        With `Last-Event-ID` only newer states are sent. The stream ends ten seconds after the job was completed or
        cancelled; a listener that has seen that state gets 204 and need not connect again.
        """
        job, seen = self.job(job_id), last_event_id(request)
        if seen is not None and seen >= job.revision and is_over(job_body(job)):
            return HttpResponse(status=NO_CONTENT)
        return self.stream(request, Topic(job=job_id), job_id=job_id, seen=seen)


class Stream(StreamBaseView):
    """Live state of the list of jobs."""

    @operation(
        id="watchJobs",
        summary="Watch the jobs",
        answer=str,
        media=MEDIA_TYPE,
        errors=(400,),
        takes=LISTENER,
        query=StreamQuery,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Send the unfinished and the last finished jobs: a snapshot, then every change; `id` is the job's revision.

        A listener that connects again gets a new snapshot.
        """
        project = decode_query(request, StreamQuery).project
        last_event_id(request)
        if not project:
            return self.stream(request, Topic(projects=self.access.projects))
        if not self.access.sees(project):
            raise NotPermitted(f"The project {project!r} is not visible to this account.")
        return self.stream(request, Topic(projects=frozenset({project})), project=project)
