"""Texts of messages: a subject and a body with the problem, its place, its time, its size, its cause, and the remedy.

Every text of a worker becomes one line of visible characters here. Chats get it without markup too, and the HTML of
mails is escaped by its template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from jobs.models import Incident
from jobs.models.notifications import SUBJECT_LENGTH, MessageState
from jobs.rules.formatting import format_datetime, format_duration, pluralize
from jobs.rules.incidents import KINDS, IncidentKind
from jobs.rules.inert_text import first_sentence, one_line, without_markup

SITE = "Progress Site"
TITLE, NAME, DETAIL, ERROR = 160, 80, 400, 300
MOST_LISTED = 30
BEGINNINGS = {MessageState.REMINDER: "Still open: ", MessageState.ENDED: "Over: "}
SEVERITIES = {MessageState.OPENED: "failure", MessageState.REMINDER: "warning", MessageState.ENDED: "success"}
ACKNOWLEDGE = "Acknowledge it there to stop the reminders."
STEPS = {
    IncidentKind.JOB_STUCK: "Release leases, retry failed items, lower the threshold, or force-complete.",
    IncidentKind.JOB_FAILED: "Retry failed items, restart a phase, or resolve the incident.",
    IncidentKind.JOB_LATE: "See whether workers are missing, raise the priority, or set a later due time.",
    IncidentKind.ERRORS: "Mend the cause, then retry the items with this error.",
    IncidentKind.WORKER_QUARANTINED: "Mend the worker, then lift its quarantine.",
    IncidentKind.WORKER_GONE: "Start the worker again, or release the items that it holds.",
    IncidentKind.ENDPOINT_FAILING: "Mend the receiver, then send a test and deliver the events again.",
    IncidentKind.DEAD_LETTERS: "Read the reason of each message, then replay it.",
    IncidentKind.DELIVERY_LAG: "See whether a deliverer runs and whether its endpoints answer.",
    IncidentKind.WATCHDOG_SILENT: "Start the watchdog process again.",
    IncidentKind.CHANNEL_FAILING: "Send a test message, or enter the address of the channel again.",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """An incident with the names of some of its jobs, and how many it has."""

    incident: Incident
    jobs: Sequence[str] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A message in its forms: `plain` and `html` for mails, `title` and `chat` for services, `thread` for its mails."""

    subject: str
    plain: str
    html: str
    title: str
    chat: str
    severity: str
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a message with its label."""

    label: str
    text: str


def text_of(facts: Facts, state: str, *, now: datetime) -> Text:
    """Write the message about a state of an incident."""
    incident = facts.incident
    again = "Open again: " if state == MessageState.OPENED and incident.reopened else ""
    headline = f"{again or BEGINNINGS.get(MessageState(state), '')}{headline_of(facts)}"
    lines = [*_facts(facts, now=now), *([] if state == MessageState.ENDED else _steps(incident))]
    return _text(
        headline,
        lines,
        link=link_to(incident.get_absolute_url()),
        severity=SEVERITIES[MessageState(state)],
        thread=f"incident-{incident.pk}",
    )


def digest_of(entries: Sequence[tuple[Facts, str]], *, now: datetime) -> Text:
    """Write one message about many states."""
    over = sum(state == MessageState.ENDED for _, state in entries)
    parts = [f"{len(entries) - over} open" if len(entries) > over else "", f"{over} over" if over else ""]
    headline = f"{pluralize(len(entries), 'incident')}: {', '.join(filter(None, parts))}"
    lines = [
        Line(
            "Over" if state == MessageState.ENDED else "Open",
            f"{headline_of(facts)} (since {_since(facts.incident, now=now)})",
        )
        for facts, state in entries[:MOST_LISTED]
    ]
    more = len(entries) - MOST_LISTED
    lines += [Line("More", f"{more} further incidents")] if more > 0 else []
    severity = "success" if over == len(entries) else "failure"
    return _text(headline, lines, link=link_to(reverse("admin:index")), severity=severity)


def trial_text(name: str) -> Text:
    """Write the message of the test button."""
    line = Line("Channel", one_line(name, most=NAME))
    hint = Line("Purpose", "This is a test. If you read it, messages about incidents arrive here.")
    return _text("Test message", [line, hint], link=link_to(reverse("admin:index")), severity="info")


def headline_of(facts: Facts) -> str:
    """Return the title of an incident as one line, with how many and where."""
    incident = facts.incident
    where = [_number(facts), one_line(incident.project, most=NAME)]
    scope = ", ".join(filter(None, where))
    title = one_line(incident.title, most=TITLE)
    return f"{title} ({scope})" if scope else title


def link_to(path: str) -> str:
    """Return an absolute address of this site. Signing in leads back to it.

    Only requests, and the thread that starts the site, reverse a path with its prefix.
    """
    return f"{settings.PUBLIC_URL}{settings.PATH_PREFIX}{path.removeprefix(settings.PATH_PREFIX)}"


def _facts(facts: Facts, *, now: datetime) -> list[Line]:
    incident = facts.incident
    error = first_sentence(incident.error, most=ERROR)
    jobs = [one_line(name, most=NAME) for name in facts.jobs]
    more = facts.number - len(jobs)
    lines = [
        Line("Project", one_line(incident.project, most=NAME)),
        Line("Number", _number(facts)),
        Line("Jobs" if facts.number > 1 else "Job", ", ".join(jobs) + (f" and {more:,} more" if more > 0 else "")),
        Line("Since", _since(incident, now=now)),
        Line("First error", error),
        Line("Detail", one_line(incident.detail, most=DETAIL)),
        Line("Ended by", one_line(incident.ended_by, most=NAME)),
    ]
    return [line for line in lines if line.text]


def _number(facts: Facts) -> str:
    """Say how many subjects the incident has; the watchdog refreshes that number, its jobs are counted now."""
    one, many = KINDS[IncidentKind(facts.incident.kind)].subjects
    number = facts.number if one == "job" else facts.incident.subjects
    return pluralize(number, one, many) if number else ""


def _steps(incident: Incident) -> list[Line]:
    return [Line("What to do", f"{STEPS[IncidentKind(incident.kind)]} {ACKNOWLEDGE}")]


def _since(incident: Incident, *, now: datetime) -> str:
    until = incident.ended_at or now
    lasted = format_duration(max(0, int((until - incident.opened_at).total_seconds())))
    at = format_datetime(incident.opened_at)
    return f"{at}, for {lasted}" if incident.ended_at else f"{at} ({lasted} ago)"


def _text(headline: str, lines: Sequence[Line], *, link: str, severity: str, thread: str = "") -> Text:
    subject = one_line(f"[{SITE}] {headline}", most=SUBJECT_LENGTH)
    context = {"headline": headline, "lines": lines, "link": link, "site": SITE}
    return Text(
        subject=subject,
        plain="\n".join([headline, "", *(f"{line.label}: {line.text}" for line in lines), "", link, ""]),
        html=render_to_string("jobs/notifications/mail.html", context),
        title=without_markup(headline),
        chat="\n".join([*(f"{line.label}: {without_markup(line.text)}" for line in lines), link]),
        severity=severity,
        thread=thread,
    )
