"""The building blocks of pipelines: items of every phase, closed lists, skipped items, counts by name, a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from jobs.change import change_jobs
from jobs.models import Item, Job, Phase
from jobs.rules import pipelines
from jobs.rules.errors import WrongState
from jobs.rules.pipelines import Kind, PhaseSpec
from jobs.tracking import NewItem, add_items, create_job
from jobs.tracking.count import count_up_to
from jobs.tracking.create import close_list, list_items, skip_listed
from jobs.tracking.phase_control import finish_phase, start_phase
from tests.factories import WORKER, complete, make_job, new_items, phase_of, types
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db

STITCHING = Kind(
    code="stitching",
    label="Stitching",
    build=lambda options: [PhaseSpec(code="tiles"), PhaseSpec(code="seam", gated=True)],
    page="admin:jobs_job_history",
    list_page="admin:jobs_job_changelist",
    plural="Stitches",
    open=False,
    created_at="/api/v1/stitches",
)


@pytest.fixture
def stitching() -> Iterator[Kind]:
    pipelines.register(STITCHING)
    yield STITCHING
    del pipelines._kinds[STITCHING.code]


def counted(**fields: object) -> Phase:
    """Make a phase without items that has been started."""
    job = make_job(**fields)
    with change_jobs([job.pk], by=WORKER) as change:
        start_phase(change, change.phase_by_code("items"))
    return phase_of(job)


def test_a_kind_fills_every_phase_of_its_new_job(stitching: Kind) -> None:
    def fill(job: Job) -> dict[str, list[NewItem]]:
        return {"tiles": new_items(3), "seam": [NewItem("seam", payload={"job": job.pk})]}

    job = create_job(name="s", kind="stitching", fill=fill, by=WORKER).job
    tiles, seam = job.phases.order_by("position")
    assert (tiles.expected, seam.expected, tiles.announced, tiles.listed) == (3, 1, False, True)
    assert seam.items.get().payload == {"job": job.pk}


def test_a_job_that_exists_is_not_filled_again(stitching: Kind) -> None:
    create_job(name="s", kind="stitching", fill=lambda job: {"tiles": new_items(3)}, by=WORKER)
    again = create_job(name="s", kind="stitching", fill=lambda job: {"tiles": new_items(9)}, by=WORKER)
    assert (again.created, phase_of(again.job).items_total) == (False, 3)


def test_a_kind_with_an_endpoint_of_its_own_takes_items_nowhere_else(stitching: Kind) -> None:
    job = create_job(name="s", kind="stitching", fill=lambda job: {"tiles": new_items(3)}, by=WORKER).job
    with pytest.raises(WrongState, match="which takes its items through /api/v1/stitches only"):
        add_items(phase_of(job), items=new_items(4), by=WORKER)
    assert phase_of(job).items_total == 3


def test_a_closed_list_is_its_own_total_and_has_no_deadline() -> None:
    job = make_job()
    with change_jobs([job.pk], by=WORKER) as change:
        phase = change.phase_by_code("items")
        list_items(change, phase, new_items(4))
        close_list(change, phase)
    phase = phase_of(job)
    assert (phase.expected, phase.announced, phase.deadline_at) == (4, False, None)
    complete(phase, 4)
    assert phase_of(job).completed_by == "all_done"


def test_closing_an_empty_list_completes_the_phase() -> None:
    job = make_job()
    with change_jobs([job.pk], by=WORKER) as change:
        close_list(change, change.phase_by_code("items"))
    assert (phase_of(job).status, phase_of(job).expected) == ("completed", 0)


def test_closing_a_list_whose_total_is_known_changes_nothing() -> None:
    job = make_job(expected=9)
    with change_jobs([job.pk], by=WORKER) as change:
        close_list(change, change.phase_by_code("items"))
    assert phase_of(job).expected == 9
    assert "items.listed" not in types(job)


def test_items_that_need_no_work_count_as_done_and_begin_nothing() -> None:
    job = make_job(items=4)
    wanted = dict(Item.objects.filter(phase__job=job).order_by("pk").values_list("pk", "key")[:3])
    with change_jobs([job.pk], by=WORKER) as change:
        skip_listed(change, change.phase_by_code("items"), {pk: f"Like {key}" for pk, key in wanted.items()})
    job.refresh_from_db()
    phase = phase_of(job)
    assert (phase.skipped, phase.status, phase.started_at, job.status, job.percent) == (
        3,
        "pending",
        None,
        "pending",
        75,
    )
    first = Item.objects.get(pk=min(wanted))
    assert (first.status, first.error, first.finished_at is None) == ("skipped", "Like k0", False)


def test_a_count_up_to_a_number_never_goes_back_and_completes_nothing() -> None:
    phase = counted()
    for total, kept in ((5, 5), (3, 5), (8, 8)):
        with change_jobs([phase.job_id], by=WORKER) as change:
            count_up_to(change, change.phase(phase.pk), done=total)
        phase.refresh_from_db()
        assert (phase.done, phase.status, phase.expected) == (kept, "processing", None)
    assert sum(phase.tallies.values_list("done", flat=True)) == 8
    with change_jobs([phase.job_id], by=WORKER) as change:
        finish_phase(change, change.phase(phase.pk))
    phase.refresh_from_db()
    assert (phase.status, phase.expected, phase.completed_by) == ("completed", 8, "all_done")


def test_a_phase_with_items_is_not_counted_up() -> None:
    job = make_job(items=2)
    with pytest.raises(WrongState, match="report them instead"), change_jobs([job.pk], by=WORKER) as change:
        count_up_to(change, change.phase_by_code("items"), done=1)


def test_a_change_outside_the_rows_of_a_job_moves_its_revision(
    clock: Clock, broadcasts: list[int], django_capture_on_commit_callbacks: object
) -> None:
    job = make_job(items=1)
    clock.forward(5)
    with django_capture_on_commit_callbacks(execute=True), change_jobs([job.pk], by=WORKER) as change:  # type: ignore[operator]
        change.bump_revision(change.job)
    revision = job.revision
    job.refresh_from_db()
    assert (job.revision, job.updated_at, broadcasts) == (revision + 1, clock.now, [job.pk])


def test_a_job_is_shown_on_the_page_of_its_kind(stitching: Kind, admin_client: Client) -> None:
    job = create_job(name="s", kind="stitching", by=WORKER).job
    own = reverse("admin:jobs_job_history", args=[job.pk])
    assert job.get_absolute_url() == own
    plain = admin_client.get(reverse("admin:job-page", args=[job.pk]), {"phase": "seam"})
    assert (plain.status_code, plain["Location"]) == (302, f"{own}?phase=seam")
    assert own in admin_client.get(reverse("admin:jobs_job_changelist")).content.decode()


def test_a_job_whose_kind_is_gone_is_shown_on_the_plain_page(admin_client: Client) -> None:
    job = make_job(items=1)
    Job.objects.filter(pk=job.pk).update(kind="of an app that is gone")
    assert admin_client.get(reverse("admin:job-page", args=[job.pk])).status_code == 200


def test_the_navigation_leads_to_the_lists_of_kinds(stitching: Kind, admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:index")).content.decode()
    assert ">Stitches</a>" in page
