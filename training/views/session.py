"""The page of a training session: the page of its job with a head of its own."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs.console.job.views import show_job
from jobs.operations.snapshot import JobSnapshot
from jobs.serializers import JobBody
from training.models import ClusteringRun, FaceDetectionSession, TrainingSession
from training.serializers import Parts, by_code, faces_body
from training.unified_progress import unified_body
from training.views.bars import said, segments_of
from training.views.duplicates import duplicates_section
from training.views.formula import why
from training.views.restarts import restarts


def session_page(request: HttpRequest, site: AdminSite, session_id: str) -> HttpResponse:
    """Everything about one session; 404 where it is out of sight."""
    return show_job(
        request,
        site,
        session_id,
        template="training/session.html",
        kind="training",
        adding=_adding,
        without=["restart"],
    )


def _adding(request: HttpRequest, figures: JobSnapshot, body: JobBody) -> dict[str, Any]:
    """What the page shows besides its job: the unified answer, and what its figures are about."""
    parts = _parts(figures, body)
    unified = unified_body(parts)
    segments = segments_of(unified, body)
    return {
        "unified": unified,
        "segments": segments,
        "segment": {segment.key: segment for segment in segments},
        "phase": parts.phases,
        "of_phase": {phase["code"]: phase for phase in body["phases"]},
        "said": said(unified, segments),
        "why": why(unified, body),
        "faces": faces_body(parts) if parts.detection else None,
        "restarts": restarts(figures, request.user),
        **duplicates_section(request, parts.session),
    }


def _parts(figures: JobSnapshot, body: JobBody) -> Parts:
    pk = figures.job.pk
    return Parts(
        session=TrainingSession.objects.get(pk=pk),
        job=body,
        phases=by_code(figures.phases),
        detection=FaceDetectionSession.objects.current([pk]).first(),
        clustering=ClusteringRun.objects.current([pk]).first(),
    )
