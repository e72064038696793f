"""The page that compares two jobs."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import tracking
from jobs.models import Job
from tests.factories import WORKER, make_job, phase_of

COMPARE = "/admin/compare/"


def make_pair(items: int = 6, *, project: str = "") -> tuple[Job, Job]:
    """Make two jobs whose k0 fails in both; one other error is gone in the second, one is new."""
    pair = []
    for name, errors in (("old", ["same 1", "gone error"]), ("new", ["same 2", "", "new error"])):
        job = make_job(name=f"{name}{project}", items=items, project=project)
        results = [tracking.Result(f"k{n}", "failed", error=text) for n, text in enumerate(errors) if text]
        tracking.report(phase_of(job), worker=f"w-{name}", results=results, by=WORKER)
        tracking.heartbeat(job, worker=f"w-{name}", by=tracking.Actor(name="w", version="1.2"))
        pair.append(job)
    return pair[0], pair[1]


def address(*jobs: Job) -> str:
    """Return the address that compares these jobs."""
    return f"{COMPARE}?" + "&".join(f"job={job.pk}" for job in jobs)


def test_errors_items_and_workers_stand_side_by_side(lead: Any) -> None:
    page = lead.open(address(*make_pair()))
    rows = {tds[0].text: [td.text for td in tds[1:]] for row in page.root.find("tr") if (tds := row.find("td"))}
    assert rows["gone error"] == ["gone", "1", "0"]
    assert rows["new error"] == ["new", "0", "1"]
    assert rows["same 2 same #"] == ["in both", "1", "1"]
    [both] = page.root.find("ul", cls="both")
    assert [link.text for link in both.find("a")] == ["k0"]
    assert rows["w-old"][1:] == ["0, 2", "0, 0"]


def test_two_ticked_rows_lead_to_it_and_another_number_is_refused(lead: Any) -> None:
    first, second = make_pair()
    data = {"action": "compare", "index": "0", "_selected_action": [second.pk, first.pk]}
    assert lead.client.post("/admin/jobs/job/?status=all", data).url == address(first, second)
    data["_selected_action"] = [first.pk]
    answer = lead.client.post("/admin/jobs/job/?status=all", data, follow=True)
    assert "Select exactly two jobs to compare them." in answer.content.decode()


def test_a_job_of_another_project_is_not_found(browser: Any) -> None:
    (own, _), (foreign, _) = make_pair(project="a"), make_pair(project="b")
    limited = browser("lead", projects=["a"])
    page = limited.open(address(own, foreign), status=404)
    assert "oldb" not in page.text
    assert "Tick two rows" in limited.open(address(own)).text


def test_its_queries_do_not_grow_with_the_jobs(lead: Any) -> None:
    def statements(*jobs: Job) -> int:
        with CaptureQueriesContext(connection) as queries:
            lead.open(address(*jobs))
        return len(queries)

    assert statements(*make_pair()) == statements(*make_pair(items=60, project="b"))
