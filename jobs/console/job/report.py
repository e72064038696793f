"""The report of a job: one page for print, with its times, counts, errors and the acts of people."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from jobs.console.activity.act_labels import past_of
from jobs.console.base import forbidden_page, not_found_page, not_visible, render_page, visible_jobs
from jobs.console.job_rows import row_of
from jobs.models import Activity
from jobs.operations.snapshot import snapshot_of
from jobs.rules import pipelines
from jobs.serializers import error_groups, job_body

NO_PERMISSION = "To see jobs, an account needs the permission jobs.view_job (role viewer)."
ERRORS_LISTED, ACTS_LISTED = 10, 20


def job_report(request: HttpRequest, site: AdminSite, job_id: str) -> HttpResponse:
    """Show the report of a job of any kind; 404 if it is not visible to the account."""
    jobs = visible_jobs(request)
    if jobs is None:
        return forbidden_page(request, site, NO_PERMISSION)
    job = jobs.filter(pk=int(job_id)).first()
    if job is None:
        return not_found_page(request, site, not_visible("Job", job_id))
    snapshot = snapshot_of(job, now=timezone.now())
    body = job_body(job, now=snapshot.now, phases=snapshot.phases)
    acts = list(Activity.objects.filter(job_id=job.pk).newest_first()[: ACTS_LISTED + 1])
    groups = error_groups(job, most=ERRORS_LISTED) if any(phase.failed for phase in snapshot.phases) else []
    context = {
        "title": f"Report of {job.name}",
        "job": job,
        "kind": pipelines.label_of(job.kind),
        "body": body,
        "row": row_of(body),
        "phases": list(zip(snapshot.phases, body["phases"], strict=True)),
        "groups": groups,
        "acts": [(act, past_of(act.act).capitalize()) for act in acts[:ACTS_LISTED]],
        "more_acts": len(acts) > ACTS_LISTED,
        "made_at": snapshot.now,
        "address": request.build_absolute_uri(job.get_absolute_url()),
    }
    return render_page(request, site, "jobs/report.html", context)
