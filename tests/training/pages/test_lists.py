"""The lists of sessions, images and face detections."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import watchdog
from jobs.rules.formatting import DASH
from tests.factories import tell
from tests.jobs.rules.conftest import Clock
from tests.training.factories import clustering, faces, finish, image, images, make_session, part, report
from tests.training.pages.reading import DETECTIONS, IMAGES, SESSIONS, address, fillings
from tests.training.pages.states import make_in
from training import sessions
from training.models import FaceDetectionSession, TrainingImage, TrainingSession

LISTS = (f"{SESSIONS}?status=all", IMAGES, DETECTIONS)


def column(page: Any, name: str) -> list[str]:
    """Return the texts of a column, from the first row to the last."""
    return [cell.text for cell in page.root.find(cls=f"field-{name}")]


# --- sessions ------------------------------------------------------------------------------------------


def test_a_row_shows_state_name_bar_images_phase_faces_and_clusters(lead: Any) -> None:
    session = make_in("faces", name="wedding", project="customer-1")
    page = lead.open(SESSIONS)
    shown = [column(page, name)[0] for name in ("state", "link", "project", "bar", "images", "phase")]
    assert shown == ["Running", "wedding", "customer-1", "46.25 %", "20 / 12 / 8", "Face detection"]
    assert [column(page, name)[0] for name in ("faces_found", "clusters")] == ["41", DASH]
    assert page.links()["wedding"] == address(session)
    assert fillings(page)[1] == ("65.0%", "25.0%", "5.0%")


def test_a_row_of_a_completed_session_shows_its_clusters_and_no_phase(lead: Any) -> None:
    make_in("no_clusters")
    page = lead.open(f"{SESSIONS}?status=completed")
    assert [column(page, name) for name in ("bar", "phase", "clusters")] == [["100.00 %"], [DASH], ["0"]]


@pytest.mark.parametrize(("state", "word"), [("discovering", "Pending"), ("pending", "Pending"), ("paused", "Paused")])
def test_a_row_says_its_state(lead: Any, state: str, word: str) -> None:
    make_in(state)
    assert column(lead.open(SESSIONS), "state") == [word]


def test_the_list_shows_what_is_not_finished_unless_asked_otherwise(lead: Any) -> None:
    make_in("training", name="runs")
    make_in("completed", name="over")
    assert column(lead.open(SESSIONS), "link") == ["runs"]
    assert column(lead.open(f"{SESSIONS}?status=completed"), "link") == ["over"]
    assert column(lead.open(f"{SESSIONS}?status=all"), "link") == ["over", "runs"]
    assert column(lead.open(f"{SESSIONS}?status=all&q=run"), "link") == ["runs"]


def test_filters_find_stuck_and_partial_sessions(lead: Any, clock: Clock) -> None:
    make_in("training", name="silent")
    watchdog.find_stuck(clock.forward(3600))
    partial = make_session(20, name="partial")
    report(partial, "training", ["completed"] * 19 + ["failed"])
    finish(partial, "face_detection")
    clustering(partial, "completed")
    make_in("training", name="fine")
    assert column(lead.open(f"{SESSIONS}?stuck=yes"), "link") == ["silent"]
    assert column(lead.open(f"{SESSIONS}?stuck=yes"), "state") == ["Stuck"]
    assert column(lead.open(f"{SESSIONS}?partial=yes"), "link") == ["partial"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("project=matter-7", ["a"]),
        ("metadata.camera=x100", ["b"]),
        ("created=today", ["b", "a"]),
        ("due_from=2026-01-01", []),
        ("finished_from=2026-01-01", []),
    ],
)
def test_filters_of_jobs_narrow_sessions(lead: Any, query: str, names: list[str]) -> None:
    make_session(1, name="a", project="matter-7")
    make_session(1, name="b", metadata={"camera": "x100"})
    assert column(lead.open(f"{SESSIONS}?{query}"), "link") == names


# --- images --------------------------------------------------------------------------------------------


def test_a_row_of_an_image_shows_status_path_session_hash_and_what_it_is_a_duplicate_of(lead: Any) -> None:
    session = make_session([image("a.jpg", "h1"), image("b.jpg", "h1"), image("c.jpg")], name="wedding")
    page = lead.open(IMAGES)
    assert column(page, "state") == ["Pending", "Skipped", "Pending"]
    assert column(page, "path") == ["c.jpg", "b.jpg", "a.jpg"]
    assert column(page, "short_hash") == [DASH, "h1", "h1"]
    assert column(page, "of") == [DASH, "a.jpg", DASH]
    links = page.links()
    first = TrainingImage.objects.earliest("pk")
    assert (links["wedding"], links["a.jpg"]) == (address(session), f"/admin/jobs/item/{first.pk}/change/")


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("status=skipped", ["b.jpg"]),
        ("status=failed", ["a.jpg"]),
        ("duplicate=yes", ["b.jpg"]),
        ("duplicate=no", ["sub/c.jpg", "a.jpg"]),
        ("q=b.jpg", ["b.jpg"]),
        ("q=SUB/", ["sub/c.jpg"]),
        ("q=wedding", ["sub/c.jpg", "b.jpg", "a.jpg"]),
        ("q=wed", []),
    ],
)
def test_images_are_found_by_status_duplicate_path_and_session(lead: Any, query: str, paths: list[str]) -> None:
    session = make_session([image("a.jpg", "h1"), image("b.jpg", "h1"), image("sub/c.jpg")], name="wedding")
    tell(part(session, "training"), "a.jpg", "failed")
    assert column(lead.open(f"{IMAGES}?{query}"), "path") == paths


def test_the_images_of_one_session_are_a_link_away_from_its_page(lead: Any) -> None:
    make_session(images(3), name="other")
    session = make_session(images(2, 3), name="wedding")
    links = lead.open(address(session)).links()
    assert set(column(lead.open(links["Images of this session"]), "link")) == {"wedding"}
    assert column(lead.open(links["All duplicates of this session"]), "path") == ["i4.jpg", "i3.jpg", "i2.jpg"]


def test_an_image_of_the_list_is_its_item(lead: Any) -> None:
    make_session(1)
    image = TrainingImage.objects.get()
    page = lead.open(f"{IMAGES}{image.pk}/change/")
    assert page.response.redirect_chain[-1][0] == f"/admin/jobs/item/{image.pk}/change/"
    assert lead.open(f"{IMAGES}999999/change/").response.redirect_chain[-1][0] == IMAGES


# --- face detections -----------------------------------------------------------------------------------


def test_each_run_of_face_detection_is_a_row(lead: Any) -> None:
    session = make_in("faces", name="wedding")
    sessions.restart(session, what="faces", actor=lead.account, reason="a new model")
    faces(session, faces_detected=2)
    page = lead.open(lead.open(address(session)).links()["Its detection sessions"])
    assert column(page, "run_number") == ["Detection session 2", "Detection session 1"]
    assert [column(page, name) for name in ("detected", "assigned")] == [["2", "41"], ["0", "37"]]
    assert column(page, "batch") == [f"0 of {DASH}", "1 of 2"]
    assert column(lead.open(f"{DETECTIONS}?q=wedding"), "link") == ["wedding", "wedding"]
    assert column(lead.open(f"{DETECTIONS}?q=wed"), "link") == []


# --- all lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [TrainingSession, TrainingImage, FaceDetectionSession])
def test_what_workers_own_is_only_read(lead: Any, model: Any) -> None:
    make_in("faces")
    place = f"/admin/training/{model._meta.model_name}/"
    pk = model.objects.latest("pk").pk
    assert lead.client.get(f"{place}add/").status_code == 403
    assert lead.client.post(f"{place}{pk}/delete/", {"post": "yes"}).status_code == 403
    before = model.objects.values().get(pk=pk)
    lead.client.post(f"{place}{pk}/change/", {"run": 7, "hash": "x", "complete": False})
    assert model.objects.values().get(pk=pk) == before


@pytest.mark.parametrize("place", LISTS)
def test_a_limited_account_sees_only_rows_of_its_projects(browser: Any, place: str) -> None:
    for project in ("a", "b"):
        make_in("faces", name=f"session-of-{project}", project=project)
    page = browser("viewer", projects=["a"]).open(place)
    assert set(column(page, "link")) == {"session-of-a"}


@pytest.mark.parametrize("place", LISTS)
def test_without_the_permission_a_list_is_refused(browser: Any, place: str) -> None:
    assert browser("").client.get(place).status_code == 403


@pytest.mark.parametrize("place", LISTS)
@pytest.mark.parametrize("many", [2, 12])
def test_the_number_of_queries_does_not_grow_with_the_rows(
    lead: Any, django_assert_max_num_queries: Any, place: str, many: int
) -> None:
    for _ in range(many):
        make_in("faces")
    lead.open(place)
    with django_assert_max_num_queries(16):
        lead.open(place)


def test_lists_filter_without_asking_which_values_there_are(lead: Any) -> None:
    make_in("faces")
    with CaptureQueriesContext(connection) as queries:
        for place in LISTS:
            lead.open(place)
    assert not [query for query in queries.captured_queries if "DISTINCT" in query["sql"]]


@pytest.mark.parametrize("place", [SESSIONS, IMAGES, DETECTIONS])
@pytest.mark.parametrize(
    "query", ["?q=%00", "?status=%00", "?status=nonsense", "?duplicate=x", "?session__exact=x", "?p=x", "?e=1"]
)
def test_an_address_that_makes_no_sense_still_shows_the_list(lead: Any, place: str, query: str) -> None:
    assert lead.open(f"{place}{query}").root.find(id="changelist")


def test_the_lists_are_in_the_overview_for_whoever_may_see_jobs(browser: Any) -> None:
    make_session(1)
    assert {SESSIONS, IMAGES, DETECTIONS} <= set(browser("viewer").open("/admin/").links().values())
    assert SESSIONS not in browser("").open("/admin/").links().values()
