"""Admin columns with the styles of the operator console."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.templatetags import progress_pages as tags
from jobs.models import Job
from jobs.rules.formatting import DASH, format_number


def pill(style: status_styles.StatusStyle) -> SafeString:
    """Render the pill of a status: icon and label."""
    return render_to_string("jobs/parts/pill.html", {"style": style})


def job_state(job: Job) -> SafeString:
    """Render the status of a job, and how late it is."""
    late = render_to_string("jobs/parts/late.html", tags.late_pill(job))
    return format_html("{} {}", pill(status_styles.style_of(job)), late)


def bar(body: dict[str, Any], label: str, *, mark: int | None = None) -> SafeString:
    """Render a progress bar and its percent."""
    percent = f"{tags.percent(body)} %"
    rendered = render_to_string("jobs/parts/bar.html", tags.bar(body, label, mark))
    return format_html('<span class="with-bar">{}<span class="num">{}</span></span>', rendered, percent)


def job_link(job: Job | None) -> SafeString | str:
    """Return a link to the page of a job."""
    return format_html('<a href="{}"><bdi>{}</bdi></a>', job.get_absolute_url(), job.name) if job else DASH


def isolated(text: str) -> SafeString | str:
    """Render a name that may run from right to left without turning what is beside it; a dash where it is empty."""
    return format_html("<bdi>{}</bdi>", text) if text else DASH


def done_of(done: int, *, skipped: int, needed: int | None, expected: int | None) -> SafeString:
    """Render `216 + 8 skipped / 360 / 400`: done and skipped apart, needed, expected."""
    apart = f" + {format_number(skipped)} skipped" if skipped else ""
    figures = (format_number(done), apart, format_number(needed), format_number(expected))
    return format_html('<span class="num">{}{} / {} / {}</span>', *figures)
