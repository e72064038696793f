"""REST API of training sessions."""

from __future__ import annotations

from typing import Any, ClassVar, TypedDict

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from jobs.api.acts import ActView, act_response
from jobs.api.base import APIBaseView, created_response, json_response
from jobs.api.cursor_pagination import page
from jobs.api.query_params import Query
from jobs.api.request_decoding import decode_body, decode_query
from jobs.api.responses import ActAnswer
from jobs.api.schema import operation
from jobs.models import Job
from jobs.models.jobs import JobQuerySet
from jobs.rules.errors import NotFound
from training import examples, requests, sessions
from training.models import TrainingSession
from training.serializers import (
    ClusteringBody,
    FacesBody,
    Parts,
    SessionBody,
    clustering_body,
    faces_body,
    parts_of,
    session_bodies,
    session_body,
)
from training.unified_progress import UnifiedBody, unified_body

SESSION: dict[str, Any] = {"tag": "training", "errors": (404, 409)}


class SessionPage(TypedDict):
    """One page of training sessions, newest first."""

    results: list[SessionBody]
    next: str | None


class ImagesAnswer(TypedDict):
    """Numbers of new images, of existing ones, and of new ones that are skipped as duplicates."""

    added: int
    existing: int
    skipped: int


class SessionBaseView(APIBaseView):
    """Base view of one session. A session is visible to accounts that may see its job."""

    def session_job(self, session_id: int) -> Job:
        """Return the job with its session; raise NotFound if it does not exist or is not visible."""
        job = _jobs(self).filter(pk=session_id).first()
        if job is None:
            raise NotFound(f"There is no training session {session_id}.")
        return job

    def session(self, session_id: int) -> TrainingSession:
        """Return the session; raise NotFound if it does not exist or is not visible."""
        return self.session_job(session_id).training_session


class Sessions(APIBaseView):
    """All visible sessions."""

    writes: ClassVar[str] = "add_job"

    @operation(
        id="listTrainingSessions",
        summary="List training sessions",
        tag="training",
        answer=SessionPage,
        errors=(400,),
        query=requests.SessionQuery,
    )
    def get(self, request: Request) -> HttpResponse:
        """Return one page of the visible sessions, newest first."""
        query = decode_query(request, requests.SessionQuery)
        jobs = _filtered(_jobs(self), query)
        return json_response(
            page(
                request, jobs, query, field="-created_at", bodies=lambda rows: session_bodies(rows, now=timezone.now())
            )
        )

    @operation(
        id="createTrainingSession",
        summary="Create a training session, or get the one with this name",
        tag="training",
        body=requests.SessionInput,
        answer=SessionBody,
        status=201,
        also={200: "The session existed. Its new images were added; the other fields were ignored."},
        errors=(409,),
        send=examples.SESSION,
        sends={201: ("Location",)},
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a session with its job and images; duplicates are skipped immediately."""
        given = decode_body(request, requests.SessionInput)
        given.check()
        result = sessions.create_session(
            name=given.name,
            images=given.new(),
            project=given.project,
            metadata=given.metadata,
            by=self.actor(),
            **given.options(),
        )
        body = session_body(_parts(result.session.job))
        return created_response(body, is_new=result.created, page="api-training-session")


class SessionDetail(SessionBaseView):
    """One session."""

    @operation(
        id="getTrainingSession", summary="Get a training session", tag="training", answer=SessionBody, errors=(400, 404)
    )
    def get(self, request: Request, session_id: int) -> HttpResponse:
        """Return the session with its job, images, faces and clustering."""
        decode_query(request, Query)
        return json_response(session_body(_parts(self.session_job(session_id))))


class Images(SessionBaseView):
    """The images of a session."""

    @operation(
        id="addTrainingImages",
        **SESSION,
        summary="Add images to a training session",
        body=requests.ImagesInput,
        answer=ImagesAnswer,
        send=examples.IMAGES,
        shows={"added": 3, "existing": 0, "skipped": 1},
    )
    def post(self, request: Request, session_id: int) -> HttpResponse:
        """Add images; existing paths stay unchanged. `complete` closes the list of images."""
        session = self.session(session_id)
        given = decode_body(request, requests.ImagesInput)
        images = requests.new_images(given.images)
        added = sessions.add_images(session, images=images, complete=given.complete, by=self.actor())
        return json_response({"added": added.added, "existing": added.existing, "skipped": added.skipped})


class Unified(SessionBaseView):
    """The unified progress of a session."""

    @operation(
        id="getUnifiedProgress",
        summary="Get the unified progress of a session",
        tag="training",
        answer=UnifiedBody,
        errors=(400, 404),
    )
    def get(self, request: Request, session_id: int) -> HttpResponse:
        """Return all three phases and one overall percentage, in camelCase."""
        decode_query(request, Query)
        return json_response(unified_body(_parts(self.session_job(session_id))))


class UnifiedAlias(Unified):
    """The unified progress at the address that its first client uses."""

    @operation(
        id="getUnifiedProgressOfSession",
        summary="Get the unified progress of a session (older address)",
        tag="training",
        answer=UnifiedBody,
        errors=(400, 404),
    )
    def get(self, request: Request, session_id: int) -> HttpResponse:
        """Return all three phases and one overall percentage, in camelCase."""
        return super().get(request, session_id)


class Faces(SessionBaseView):
    """The detection session of the current run."""

    @operation(
        id="getFaceDetection",
        summary="Get the progress of face detection",
        tag="training",
        answer=FacesBody,
        errors=(400, 404),
    )
    def get(self, request: Request, session_id: int) -> HttpResponse:
        """Return the values reported in this run; zeros and nulls for values not reported."""
        decode_query(request, Query)
        return json_response(faces_body(_parts(self.session_job(session_id))))

    @operation(
        id="reportFaceDetection",
        **SESSION,
        summary="Report the progress of face detection",
        body=requests.FacesInput,
        answer=FacesBody,
        send=examples.FACES,
    )
    def patch(self, request: Request, session_id: int) -> HttpResponse:
        """Store absolute values; a lower count than before changes nothing."""
        session = self.session(session_id)
        given = decode_body(request, requests.FacesInput)
        sessions.update_faces(session, given.values(), by=self.actor())
        return json_response(faces_body(_parts(self.session_job(session_id))))


class Clustering(SessionBaseView):
    """The clustering of the faces."""

    @operation(
        id="reportClustering",
        **SESSION,
        summary="Report the progress of clustering",
        body=requests.ClusteringInput,
        answer=ClusteringBody,
        send=examples.CLUSTERING,
    )
    def post(self, request: Request, session_id: int) -> HttpResponse:
        """Report running, completed or failed; repeating a report changes nothing."""
        session = self.session(session_id)
        given = decode_body(request, requests.ClusteringInput)
        sessions.update_clustering(
            session,
            status=given.status,
            current=given.current,
            total=given.total,
            clusters_created=given.clusters_created,
            error=given.error,
            by=self.actor(),
        )
        return json_response(clustering_body(_parts(self.session_job(session_id))))


class RestartSession(SessionBaseView, ActView):
    """Restart of a part of a session."""

    writes: ClassVar[str] = "restart_job"

    @operation(
        id="restartTrainingSession",
        summary="Restart a part of a training session",
        tag="training",
        body=requests.RestartSessionInput,
        answer=ActAnswer,
        errors=(404, 409),
        send=examples.RESTART,
    )
    def post(self, request: Request, session_id: int) -> HttpResponse:
        """Restart the failed images, or a whole phase and the phases after it."""
        session = self.session(session_id)
        given = decode_body(request, requests.RestartSessionInput)
        return act_response(sessions.restart(session, what=given.what, reason=given.reason, actor=self.account))


def _jobs(view: APIBaseView) -> JobQuerySet:
    """Return the visible jobs that belong to a session, with their sessions."""
    return view.access.jobs().filter(training_session__isnull=False).select_related("training_session")


def _filtered(jobs: JobQuerySet, query: requests.SessionQuery) -> JobQuerySet:
    if query.status:
        jobs = jobs.filter(status=query.status)
    return jobs.filter(project=query.project) if query.project else jobs


def _parts(job: Job) -> Parts:
    """Load the parts of one session."""
    [parts] = parts_of([job], now=timezone.now())
    return parts
