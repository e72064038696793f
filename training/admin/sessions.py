"""The list of training sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console.admin.action_mixin import ActionMixin
from jobs.console.admin.change_list import ConsoleList
from jobs.console.admin.columns import job_link, job_state
from jobs.console.admin.export import Column
from jobs.console.admin.lists import KindAdmin
from jobs.console.templatetags.progress_pages import ago
from jobs.models import Job
from jobs.rules.formatting import DASH, format_number
from training.admin.columns import ListMedia
from training.admin.filters import (
    SessionCreated,
    SessionDue,
    SessionFinished,
    SessionLate,
    SessionMetadata,
    SessionPartial,
    SessionProject,
    SessionStatus,
    SessionStuck,
)
from training.models import TrainingSession
from training.serializers import Parts, clusters_created, images_body, parts_of
from training.templatetags.training_pages import phase_name
from training.unified_progress import current_phase, unified_body
from training.views import drawn_bar, session_page


class SessionList(ConsoleList):
    """Change list that loads the parts of each session once per page."""

    def get_results(self, request: HttpRequest) -> None:
        """Load the rows and the parts of their columns."""
        super().get_results(request)
        with_parts(self.result_list)


def with_parts(sessions: Sequence[Any]) -> Sequence[Any]:
    """Attach to each session the parts of its columns."""
    for session, parts in zip(sessions, parts_of([row.job for row in sessions], now=timezone.now()), strict=True):
        session.parts = parts
    return sessions


def _of_parts(name: str, read: Callable[[Parts], Any]) -> Column:
    return Column(name, lambda session: read(session.parts))


def _of_faces(name: str) -> Column:
    return _of_parts(name, lambda parts: getattr(parts.detection, name, None))


@admin.register(TrainingSession)
class SessionAdmin(ActionMixin, KindAdmin):
    """The list of sessions; by default those that are not finished."""

    when_empty = "A program creates sessions over the REST API."
    owner = (Job, "job_id", "project")
    rows_are = "sessions"
    follows = ("job",)
    list_display = ("state", "link", "project", "bar", "images", "phase", "faces_found", "clusters", "updated")
    list_display_links = None
    list_filter = (
        SessionStatus,
        SessionProject,
        SessionStuck,
        SessionLate,
        SessionPartial,
        SessionCreated,
        SessionFinished,
        SessionDue,
        SessionMetadata,
    )
    search_fields = ("job__name",)
    search_help_text = "Part of a name"
    ordering = ("-pk",)
    exported = (
        Column("id", "pk"),
        Column("name", "job.name"),
        Column("project", "job.project"),
        Column("status", "job.status"),
        Column("partial", "job.partial"),
        Column("stuck", "job.stuck", or_none=True),
        _of_parts("percentage", lambda parts: unified_body(parts)["overallProgress"]["percentage"]),
        _of_parts("current_phase", current_phase),
        _of_parts("images_total", lambda parts: images_body(parts)["total"]),
        _of_parts("images_unique", lambda parts: images_body(parts)["unique"]),
        _of_parts("images_skipped", lambda parts: images_body(parts)["skipped"]),
        _of_faces("faces_detected"),
        _of_faces("faces_assigned"),
        _of_parts("clusters_created", clusters_created),
        Column("error", "job.error"),
        Column("created_at"),
        Column("updated_at", "job.updated_at"),
        Column("finished_at", "job.finished_at"),
    )
    exported_as = "sessions"

    Media = ListMedia

    def exported_rows(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Return the rows with their parts."""
        return with_parts(rows)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the change list with parts."""
        return SessionList

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the session page instead of a form."""
        return session_page(request, self.admin_site, object_id)

    @admin.display(description="Status")
    def state(self, session: TrainingSession) -> SafeString:
        """Status of the job."""
        return job_state(session.job)

    @admin.display(description="Session", ordering="job__name")
    def link(self, session: TrainingSession) -> SafeString | str:
        """Name, linked to the session page."""
        return job_link(session.job)

    @admin.display(description="Project", ordering="job__project")
    def project(self, session: TrainingSession) -> str:
        """Project, if any."""
        return session.job.project or DASH

    @admin.display(description="Overall progress")
    def bar(self, session: TrainingSession) -> SafeString:
        """Overall progress bar and percent."""
        return drawn_bar(_parts(session))

    @admin.display(description="Images / unique / skipped")
    def images(self, session: TrainingSession) -> SafeString:
        """Numbers of images: total, unique and skipped."""
        body = images_body(_parts(session))
        snapshot = (format_number(body["total"]), format_number(body["unique"]), format_number(body["skipped"]))
        return format_html('<span class="num">{} / {} / {}</span>', *snapshot)

    @admin.display(description="Current phase")
    def phase(self, session: TrainingSession) -> str:
        """First phase that is not completed."""
        current = current_phase(_parts(session))
        return DASH if current == "completed" else phase_name(current)

    @admin.display(description="Faces")
    def faces_found(self, session: TrainingSession) -> str:
        """Faces detected in the current run."""
        detection = _parts(session).detection
        return format_number(detection.faces_detected if detection else None)

    @admin.display(description="Clusters")
    def clusters(self, session: TrainingSession) -> str:
        """Clusters created in the current run."""
        return format_number(clusters_created(_parts(session)))

    @admin.display(description="Updated", ordering="job__updated_at")
    def updated(self, session: TrainingSession) -> SafeString | str:
        """Time of the last change."""
        return ago(session.job.updated_at)


def _parts(session: TrainingSession) -> Parts:
    return session.parts  # type: ignore[attr-defined]
