"""URLs of the REST API, under /api/v1."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from jobs.api import (
    activity,
    acts,
    asyncapi,
    badges,
    channels,
    claims_and_reports,
    docs,
    endpoints,
    errors,
    events,
    incidents,
    jobs,
    notification_rules,
    phases,
    project_limits,
    streams,
    tickets,
    workers,
)

JOB = "jobs/<int:job_id>"
PHASE = "jobs/<int:job_id>/phases/<str:code>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("jobs", jobs.Jobs.as_view(), name="api-jobs"),
    path(JOB, jobs.JobDetail.as_view(), name="api-job"),
    path(f"{JOB}/timeline", jobs.Timeline.as_view(), name="api-timeline"),
    path(f"{JOB}/progress", jobs.Progress.as_view(), name="api-progress"),
    path(f"{JOB}/errors", jobs.Errors.as_view(), name="api-errors"),
    path("errors", errors.AllErrors.as_view(), name="api-all-errors"),
    path(f"{JOB}/diagnosis", jobs.Diagnosis.as_view(), name="api-diagnosis"),
    path(f"{JOB}/heartbeat", claims_and_reports.Heartbeat.as_view(), name="api-heartbeat"),
    path(f"{PHASE}/announce", phases.Announce.as_view(), name="api-announce"),
    path(f"{PHASE}/items", phases.Items.as_view(), name="api-items"),
    path(f"{PHASE}/items/<int:item_id>/attempts", phases.Attempts.as_view(), name="api-attempts"),
    path(f"{PHASE}/count", phases.Count.as_view(), name="api-count"),
    path(f"{PHASE}/start", phases.Start.as_view(), name="api-start"),
    path(f"{PHASE}/finish", phases.Finish.as_view(), name="api-finish"),
    path(f"{PHASE}/fail", phases.Fail.as_view(), name="api-fail-phase"),
    path(f"{PHASE}/claim", claims_and_reports.Claim.as_view(), name="api-claim"),
    path(f"{PHASE}/report", claims_and_reports.Report.as_view(), name="api-report"),
    path("claim", claims_and_reports.ClaimAny.as_view(), name="api-claim-any"),
    *acts.act_urls(JOB),
    path("project-limits", project_limits.ProjectLimits.as_view(), name="api-project-limits"),
    path("incidents", incidents.Incidents.as_view(), name="api-incidents"),
    path("incidents/<int:incident_id>", incidents.IncidentDetail.as_view(), name="api-incident"),
    *incidents.act_urls(),
    path("acts", acts.Acts.as_view(), name="api-acts"),
    path(f"{JOB}/badge", badges.Badge.as_view(), name="api-badge"),
    path(f"{JOB}/stream", streams.JobStream.as_view(), name="api-job-stream"),
    path("workers/<path:worker>/free", workers.FreeWorker.as_view(), name="api-worker-free"),
    path("workers/<path:worker>/lift", workers.LiftOfWorker.as_view(), name="api-worker-lift"),
    path("activity", activity.ActivityList.as_view(), name="api-activity"),
    path("live-ticket", tickets.LiveTicket.as_view(), name="api-live-ticket"),
    path("stream", streams.Stream.as_view(), name="api-stream"),
    path("events", events.Events.as_view(), name="api-events"),
    path("events/<int:event_id>/replay", endpoints.Replay.as_view(), name="api-replay"),
    path("endpoints", endpoints.Endpoints.as_view(), name="api-endpoints"),
    path("endpoints/<int:endpoint_id>", endpoints.EndpointDetail.as_view(), name="api-endpoint"),
    path("channels", channels.Channels.as_view(), name="api-channels"),
    path("channels/<int:channel_id>", channels.ChannelDetail.as_view(), name="api-channel"),
    path("channels/<int:channel_id>/test", channels.ChannelTest.as_view(), name="api-channel-test"),
    path("notification-rules", notification_rules.NotificationRules.as_view(), name="api-notification-rules"),
    path(
        "notification-rules/<int:rule_id>",
        notification_rules.NotificationRuleDetail.as_view(),
        name="api-notification-rule",
    ),
    path("schema", docs.Schema.as_view(), name="api-schema"),
    path("asyncapi", asyncapi.asyncapi, name="api-asyncapi"),
    path("docs", docs.Docs.as_view(), name="api-docs"),
]
