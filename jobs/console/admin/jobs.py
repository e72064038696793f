"""The lists of jobs and phases."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.action_mixin import ActionMixin
from jobs.console.admin.change_list import MOST_COUNTED
from jobs.console.admin.columns import bar, done_of, isolated, job_link, job_state, pill
from jobs.console.admin.export import Column
from jobs.console.admin.filters import Kind, LateFilter, PartialFilter, StatusFilter, StuckFilter
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.admin.range_filters import Created, Due, Finished, Metadata, Project
from jobs.console.templatetags.progress_pages import ago, clock, until
from jobs.models import Job, Phase
from jobs.rules import progress
from jobs.rules.formatting import DASH, format_number


@admin.register(Job)
class JobAdmin(ActionMixin, ReadOnlyAdmin):
    """Jobs; by default those that are not finished."""

    when_empty = "A program creates jobs over the REST API; the overview shows how."
    follows = ("phases",)
    list_display = ("state", "link", "kind", "project_name", "bar", "counts", "failed", "deadline", "updated")
    list_display_links = None
    more_columns = ("stage", "created", "started", "finished", "due", "priority", "metadata_text", "error")
    list_filter = (
        StatusFilter,
        Kind,
        Project,
        StuckFilter,
        LateFilter,
        PartialFilter,
        Created,
        Finished,
        Due,
        Metadata,
    )
    search_fields = ("name",)
    search_help_text = "Part of a name"
    ordering = ("-updated_at", "-id")
    exported = (
        *map(Column, ("id", "name", "kind", "project", "status", "partial")),
        Column("stuck", or_none=True),
        *map(Column, ("late", "due_at", "expected_seconds", "priority")),
        *map(Column, ("stage", "percent", "settled_percent", "revision", "error", "metadata", "heartbeat_at")),
        *map(Column, ("created_at", "updated_at", "started_at", "finished_at")),
    )

    def page_of(self, row: Job) -> str:
        """Return the page of the job."""
        return row.get_absolute_url()

    @admin.display(description="Status")
    def state(self, job: Job) -> SafeString:
        """The status."""
        return job_state(job)

    @admin.display(description="Job", ordering="name")
    def link(self, job: Job) -> SafeString | str:
        """The name with a link to the page of the job."""
        return job_link(job)

    @admin.display(description="Project", ordering="project")
    def project_name(self, job: Job) -> SafeString | str:
        """The project, if any."""
        return isolated(job.project)

    @admin.display(description="Progress", ordering="percent")
    def bar(self, job: Job) -> SafeString:
        """The progress bar and the percent."""
        return bar(_body(job), f"Progress of {job.name}")

    @admin.display(description="Done / needed / expected")
    def counts(self, job: Job) -> SafeString:
        """The done, needed and expected counts over all phases."""
        phases = list(job.phases.all())
        needed = [progress.needed(phase.expected, phase.threshold) for phase in phases]
        done, skipped = sum(phase.done for phase in phases), sum(phase.skipped for phase in phases)
        return done_of(done, skipped=skipped, needed=_sum(needed), expected=_sum([phase.expected for phase in phases]))

    @admin.display(description="Failed")
    def failed(self, job: Job) -> str:
        """Failed items over all phases."""
        return format_number(sum(phase.failed for phase in job.phases.all()))

    @admin.display(description="Deadline")
    def deadline(self, job: Job) -> SafeString | str:
        """The next watermark of a phase."""
        deadlines = [phase.deadline_at for phase in job.phases.all() if phase.deadline_at]
        return until(min(deadlines)) if deadlines else DASH

    @admin.display(description="Created", ordering="created_at")
    def created(self, job: Job) -> SafeString | str:
        """The time of its creation."""
        return clock(job.created_at)

    @admin.display(description="Started")
    def started(self, job: Job) -> SafeString | str:
        """The time of the first sign of life."""
        return clock(job.started_at)

    @admin.display(description="Finished", ordering="finished_at")
    def finished(self, job: Job) -> SafeString | str:
        """The time of its end."""
        return clock(job.finished_at)

    @admin.display(description="Due", ordering="due_at")
    def due(self, job: Job) -> SafeString | str:
        """The due time."""
        return until(job.due_at)

    @admin.display(description="Metadata")
    def metadata_text(self, job: Job) -> SafeString | str:
        """The metadata as `key=value`."""
        return isolated(", ".join(f"{name}={value}" for name, value in job.metadata.items()))

    def totals(self, rows: QuerySet[Job]) -> list[str]:
        """Return how many of the matching jobs, at most the first ten thousand, are in each status."""
        # Counted here: with old statistics PostgreSQL joins the jobs with the first ten thousand pair by pair.
        states = rows.order_by().values_list("status", "partial", "stuck", "pk")[:MOST_COUNTED]
        styles: Counter[status_styles.StatusStyle] = Counter()
        for (status, partial, stuck), number in Counter(state[:3] for state in states).items():
            styles[status_styles.style(status, stuck=stuck, partial=partial)] += number
        return [f"{format_number(number)} {style.label.lower()}" for style, number in styles.most_common()]

    @admin.display(description="Updated", ordering="updated_at")
    def updated(self, job: Job) -> SafeString | str:
        """The time of the last change."""
        return ago(job.updated_at)


def _body(job: Job) -> dict[str, Any]:
    """Return what the bar and the style of a job read."""
    names = ("status", "stuck", "partial", "reworking", "percent", "settled_percent")
    counters = ("status", "weight", "expected", "done", "failed", "skipped", "processing")
    phases = [{name: getattr(phase, name) for name in counters} for phase in job.phases.all()]
    return {**{name: getattr(job, name) for name in names}, "phases": phases}


def _sum(numbers: list[int | None]) -> int | None:
    known = [value for value in numbers if value is not None]
    return sum(known) if known and len(known) == len(numbers) else None


@admin.register(Phase)
class PhaseAdmin(ReadOnlyAdmin):
    """Phases of all jobs, the newest first."""

    when_empty = "No phase yet. A job is created with its phases."
    owner = (Job, "job_id", "project")
    list_display = ("state", "code", "link", "bar", "counts", "failed", "processing", "deadline", "completed", "by")
    list_display_links = ("code",)
    list_filter = ("status",)
    follows = ("job",)
    search_fields = ("=code", "=job__name")
    search_help_text = "A whole code, or the whole name of a job"
    ordering = ("-id",)
    exported = (
        Column("id"),
        Column("job_id"),
        Column("job", "job.name"),
        *map(Column, ("code", "asset_type", "label", "position", "weight", "run", "status", "expected")),
        *map(Column, ("done", "failed", "skipped", "processing")),
        Column("pending", lambda phase: progress.pending(phase.counts)),
        Column("percent", lambda phase: progress.percent(phase.counts, completed=phase.is_completed)),
        Column("settled_percent", lambda phase: progress.settled_percent(phase.counts, completed=phase.is_completed)),
        Column("threshold"),
        Column("needed", lambda phase: progress.needed(phase.expected, phase.threshold)),
        Column("partial"),
        Column("over_delivered", lambda phase: progress.over_delivered(phase.counts)),
        *map(
            Column,
            ("trigger", "on_shortfall", "gated", "max_leased", "error", "deadline_at", "started_at", "completed_at"),
        ),
        Column("completed_by", or_none=True),
        *map(Column, ("retries", "retry_delay", "retry_delay_max", "waiting")),
        Column("next_retry_at", "next_due_at"),
        Column("reworking", "reworked_items"),
    )
    raw_id_fields = ("job",)

    @admin.display(description="Status")
    def state(self, phase: Phase) -> SafeString:
        """The status."""
        return pill(status_styles.style(phase.status, partial=phase.partial))

    @admin.display(description="Job")
    def link(self, phase: Phase) -> SafeString | str:
        """The job."""
        return job_link(phase.job)

    @admin.display(description="Progress")
    def bar(self, phase: Phase) -> SafeString:
        """The progress bar with the threshold, and the percent."""
        counts, completed = phase.counts, phase.is_completed
        body = {
            "status": phase.status,
            "partial": phase.partial,
            "percent": progress.percent(counts, completed=completed),
            "settled_percent": progress.settled_percent(counts, completed=completed),
        }
        return bar(body, f"Progress of {phase}", mark=phase.threshold)

    @admin.display(description="Done / needed / expected")
    def counts(self, phase: Phase) -> SafeString:
        """The done, needed and expected counts."""
        needed = progress.needed(phase.expected, phase.threshold)
        return done_of(phase.done, skipped=phase.skipped, needed=needed, expected=phase.expected)

    @admin.display(description="Deadline", ordering="deadline_at")
    def deadline(self, phase: Phase) -> SafeString | str:
        """The watermark."""
        return until(phase.deadline_at)

    @admin.display(description="Completed")
    def completed(self, phase: Phase) -> SafeString | str:
        """The time of the completion."""
        return clock(phase.completed_at)

    @admin.display(description="By")
    def by(self, phase: Phase) -> str:
        """The cause of the completion."""
        return phase.completed_by.replace("_", " ") or DASH
