"""The training session page: the job page with its own head and phases."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs.console.job.views import show_job
from jobs.operations.snapshot import JobSnapshot
from jobs.serializers import JobBody
from training.models import ClusteringRun, FaceDetectionSession, TrainingSession
from training.reached import shown_overall
from training.serializers import Parts, by_code, faces_body
from training.unified_progress import unified_body
from training.views.bars import description, segments_of
from training.views.duplicates import duplicates_section
from training.views.formula import formula
from training.views.restarts import restarts


def session_page(request: HttpRequest, site: AdminSite, session_id: str) -> HttpResponse:
    """Show one session; 404 if it is not visible to the account."""
    return show_job(
        request,
        site,
        session_id,
        template="training/session.html",
        kind="training",
        extra_context=_extra_context,
        exclude=["restart"],
    )


def _extra_context(request: HttpRequest, snapshot: JobSnapshot, body: JobBody) -> dict[str, Any]:
    """Return the context of the session's blocks."""
    parts = _parts(snapshot, body)
    unified = unified_body(parts)
    segments = segments_of(unified, body)
    return {
        "unified": unified,
        "segments": segments,
        "segment": {segment.key: segment for segment in segments},
        "phase": parts.phases,
        "of_phase": {phase["code"]: phase for phase in body["phases"]},
        "overall": shown_overall(unified, segments),
        "description": description(unified, segments),
        "formula": formula(unified, body),
        "faces": faces_body(parts) if parts.detection else None,
        "restarts": restarts(snapshot, request.user),
        **duplicates_section(request, parts.session),
    }


def _parts(snapshot: JobSnapshot, body: JobBody) -> Parts:
    pk = snapshot.job.pk
    return Parts(
        session=TrainingSession.objects.get(pk=pk),
        job=body,
        phases=by_code(snapshot.phases),
        detection=FaceDetectionSession.objects.current([pk]).first(),
        clustering=ClusteringRun.objects.current([pk]).first(),
    )
