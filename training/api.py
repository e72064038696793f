"""The doors of training sessions."""

from __future__ import annotations

from typing import Any, ClassVar, TypedDict

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request

from jobs.api.acts import ActView, act_response
from jobs.api.base import APIBaseView, json_response
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
    """How many images were new, how many were there already, how many of the new ones are skipped as duplicates."""

    added: int
    existing: int
    skipped: int


class SessionBaseView(APIBaseView):
    """A door of one session; who may see its job may see it."""

    def session_job(self, session_id: int) -> Job:
        """The job of a session with its session; NotFound where it is missing or out of sight."""
        job = _jobs(self).filter(pk=session_id).first()
        if job is None:
            raise NotFound(f"There is no training session {session_id}.")
        return job

    def session(self, session_id: int) -> TrainingSession:
        """The session; NotFound where it is missing or out of sight."""
        return self.session_job(session_id).training_session


class Sessions(APIBaseView):
    """All sessions within sight."""

    writes: ClassVar[str] = "add_job"

    @operation(
        summary="List training sessions", tag="training", answer=SessionPage, errors=(400,), query=requests.SessionQuery
    )
    def get(self, request: Request) -> HttpResponse:
        """One page of the sessions within sight, newest first."""
        wanted = decode_query(request, requests.SessionQuery)
        jobs = _chosen(_jobs(self), wanted)
        return json_response(
            page(
                request,
                jobs,
                field="-created_at",
                limit=wanted.limit,
                cursor=wanted.cursor,
                bodies=lambda rows: session_bodies(rows, now=timezone.now()),
            )
        )

    @operation(
        summary="Create a training session, or find the one of this name",
        tag="training",
        body=requests.SessionInput,
        answer=SessionBody,
        status=201,
        also={200: "The session existed; its new images were added and the rest was ignored."},
        errors=(409,),
        send=examples.SESSION,
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a session with its job and images; duplicates are skipped at once."""
        given = decode_body(request, requests.SessionInput)
        given.check()
        made = sessions.create_session(
            name=given.name, images=given.new(), project=given.project, metadata=given.metadata, by=self.actor()
        )
        body = session_body(_parts(made.session.job))
        if not made.created:
            return json_response(body)
        return json_response(body, status=201, headers={"Location": reverse("api-training-session", args=[body["id"]])})


class SessionDetail(SessionBaseView):
    """One session."""

    @operation(summary="Look at a training session", tag="training", answer=SessionBody, errors=(400, 404))
    def get(self, request: Request, session_id: int) -> HttpResponse:
        """The session with its job, images, faces and clustering."""
        decode_query(request, Query)
        return json_response(session_body(_parts(self.session_job(session_id))))


class Images(SessionBaseView):
    """The images of a session."""

    @operation(
        **SESSION,
        summary="Add images to a training session",
        body=requests.ImagesInput,
        answer=ImagesAnswer,
        send=examples.IMAGES,
        shows={"added": 3, "existing": 0, "skipped": 1},
    )
    def post(self, request: Request, session_id: int) -> HttpResponse:
        """Add images; a path that is there already is left as it is. With `complete` no more will come."""
        session = self.session(session_id)
        given = decode_body(request, requests.ImagesInput)
        given.check()
        images = requests.new_images(given.images)
        added = sessions.add_images(session, images=images, complete=given.complete, by=self.actor())
        return json_response({"added": added.added, "existing": added.existing, "skipped": added.skipped})


class Unified(SessionBaseView):
    """The progress of all phases as one."""

    @operation(summary="Progress of a session as one", tag="training", answer=UnifiedBody, errors=(400, 404))
    def get(self, request: Request, session_id: int) -> HttpResponse:
        """Three phases under one percentage, in camelCase."""
        decode_query(request, Query)
        return json_response(unified_body(_parts(self.session_job(session_id))))


class UnifiedAlias(Unified):
    """The same under the address that its first client knows."""

    @operation(
        summary="Progress of a session as one (older address)", tag="training", answer=UnifiedBody, errors=(400, 404)
    )
    def get(self, request: Request, session_id: int) -> HttpResponse:
        """Three phases under one percentage, in camelCase."""
        return super().get(request, session_id)


class Faces(SessionBaseView):
    """The detection session of the current run."""

    @operation(summary="Look at the detection of faces", tag="training", answer=FacesBody, errors=(400, 404))
    def get(self, request: Request, session_id: int) -> HttpResponse:
        """What workers told in this run; zeros and nulls where they told nothing."""
        decode_query(request, Query)
        return json_response(faces_body(_parts(self.session_job(session_id))))

    @operation(
        **SESSION,
        summary="Tell how far the detection of faces is",
        body=requests.FacesInput,
        answer=FacesBody,
        send=examples.FACES,
    )
    def patch(self, request: Request, session_id: int) -> HttpResponse:
        """Keep absolute values; a lower count than before changes nothing."""
        session = self.session(session_id)
        given = decode_body(request, requests.FacesInput)
        sessions.tell_faces(session, given.told(), by=self.actor())
        return json_response(faces_body(_parts(self.session_job(session_id))))


class Clustering(SessionBaseView):
    """The clustering of the faces."""

    @operation(
        **SESSION,
        summary="Tell how far clustering is",
        body=requests.ClusteringInput,
        answer=ClusteringBody,
        send=examples.CLUSTERING,
    )
    def post(self, request: Request, session_id: int) -> HttpResponse:
        """Running, completed or failed; telling again changes nothing."""
        session = self.session(session_id)
        given = decode_body(request, requests.ClusteringInput)
        sessions.tell_clustering(
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
    """A part of a session that begins anew."""

    writes: ClassVar[str] = "restart_job"

    @operation(
        summary="Restart a part of a training session",
        tag="training",
        body=requests.RestartSessionInput,
        answer=ActAnswer,
        errors=(404, 409),
        send=examples.RESTART,
    )
    def post(self, request: Request, session_id: int) -> HttpResponse:
        """The failed images, or a whole phase with those after it."""
        session = self.session(session_id)
        given = decode_body(request, requests.RestartSessionInput)
        return act_response(sessions.restart(session, what=given.what, reason=given.reason, actor=self.account))


def _jobs(door: APIBaseView) -> JobQuerySet:
    """The jobs within sight that are sessions, with their sessions."""
    return door.access.jobs().filter(training_session__isnull=False).select_related("training_session")


def _chosen(jobs: JobQuerySet, wanted: requests.SessionQuery) -> JobQuerySet:
    if wanted.status:
        jobs = jobs.filter(status=wanted.status)
    return jobs.filter(project=wanted.project) if wanted.project else jobs


def _parts(job: Job) -> Parts:
    """What the bodies of this session are made of."""
    [parts] = parts_of([job], now=timezone.now())
    return parts
