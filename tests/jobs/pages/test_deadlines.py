"""Late jobs on the pages: the mark beside the status, the row that needs attention, the act."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management import call_command

from jobs import watchdog
from jobs.models import Job
from jobs.tracking import Deadlines
from tests.factories import make_job
from tests.jobs.pages.test_attention import make_stuck, overview, section
from tests.jobs.rules.conftest import Clock

JOBS = "/admin/jobs/job/"


def make_late(clock: Clock, name: str = "night", **fields: Any) -> Job:
    """Make a running job that has been late for 40 minutes."""
    due_at = clock.now - timedelta(minutes=40)
    job = make_job(name=name, items=12, done=4, deadlines=Deadlines(due_at=due_at), **fields)
    watchdog.find_late()
    job.refresh_from_db()
    assert job.late
    return job


def test_a_late_job_says_for_how_long_on_its_page_in_lists_and_on_the_overview(lead: Any, clock: Clock) -> None:
    job = make_late(clock)
    for address in (f"{JOBS}{job.pk}/", f"{JOBS}?late=yes", "/admin/"):
        [mark] = lead.open(address).root.find("span", cls="late")
        assert mark.text == "Late 40 min"
    make_job(name="other", items=3, done=1)
    assert "other" not in lead.open(f"{JOBS}?late=yes").text


def test_a_late_job_needs_attention_after_the_stuck_and_before_the_failed(lead: Any, clock: Clock) -> None:
    make_job(name="broken", items=3, failed=3, kind="generic", project="b")
    make_late(clock)
    make_stuck("mute")
    shown = section(lead)
    assert sorted(["mute", "night", "broken"], key=shown.index) == ["mute", "night", "broken"]
    assert "late 40 min: it was due at 11:20:00 UTC" in shown
    assert "Change due time…" in shown
    assert "night" not in overview(lead).section("running")


def test_a_late_job_in_which_too_much_has_failed_offers_the_retry(lead: Any, clock: Clock) -> None:
    make_late(clock, failed=6)
    shown = section(lead)
    assert "late 40 min" in shown
    assert "at most 6 can still succeed: 6 failed" in shown
    assert "Retry 6 failed…" in shown


def test_the_page_of_the_act_takes_a_time_in_utc(lead: Any, clock: Clock) -> None:
    job = make_late(clock)
    page = lead.confirm(f"{JOBS}{job.pk}/due/", due_at="2026-03-02T14:30:00", reason="Agreed.")
    assert page.messages == ["night: The due time of night is 2026-03-02 14:30:00 UTC (was 2026-03-02 11:20:00 UTC)."]
    job.refresh_from_db()
    assert (job.late, job.due_at) == (False, datetime(2026, 3, 2, 14, 30, tzinfo=UTC))


def test_the_page_of_the_act_takes_seconds_and_refuses_both(lead: Any, clock: Clock) -> None:
    job = make_late(clock)
    both = lead.confirm(f"{JOBS}{job.pk}/due/", due_at="2026-03-02T14:30:00", expected_seconds="60")
    assert "Give either a due time or the expected seconds." in str(both.messages)
    lead.confirm(f"{JOBS}{job.pk}/due/", expected_seconds="7200")
    job.refresh_from_db()
    assert (job.late, job.expected_seconds) == (False, 7200)
    lead.confirm(f"{JOBS}{job.pk}/due/")
    job.refresh_from_db()
    assert (job.due_at, job.expected_seconds) == (None, None)


def test_many_jobs_get_a_due_time_at_once(lead: Any, clock: Clock) -> None:
    for name in ("a", "b"):
        make_late(clock, name)
    lead.confirm(f"{JOBS}act/due/?match=jobs_job&query=late%3Dyes", due_at="2026-03-02T14:30:00", reason="Agreed.")
    assert set(Job.objects.values_list("due_at", "late")) == {(datetime(2026, 3, 2, 14, 30, tzinfo=UTC), False)}


def test_the_command_line_changes_due_times_and_lists_late_jobs(clock: Clock, db: None, capsys: Any) -> None:
    make_late(clock)
    call_command("jobs", "list", "--late")
    assert "night" in capsys.readouterr().out
    call_command("jobs", "due", "night", "--due-at", "2026-03-02T14:30:00Z")
    assert "2026-03-02 14:30:00 UTC" in capsys.readouterr().out
    call_command("jobs", "list", "--late")
    assert "night" not in capsys.readouterr().out
