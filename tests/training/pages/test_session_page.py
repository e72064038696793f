"""The page of a training session."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from jobs import watchdog
from jobs.models import Job
from jobs.rules.formatting import DASH
from tests.factories import make_job
from tests.jobs.rules.conftest import Clock
from tests.training.factories import add, clustering, faces, finish, image, images, job_of, make_session, report
from tests.training.pages.reading import address, fillings, overall, part
from tests.training.pages.states import DUPLICATES, STATES, UNIQUE, make_in
from training import sessions

HEADS = {
    "discovering": "0.00 % overall current phase Training ETA unknown last report never",
    "pending": "12.00 % overall current phase Training",
    "training": "21.00 % overall current phase Training",
    "faces": "46.25 % overall current phase Face detection",
    "clustering": "95.00 % overall current phase Clustering ETA unknown",
    "counted": "96.55 % overall current phase Clustering",
    "completed": "100.00 % overall last report",
    "no_clusters": "100.00 % overall last report",
    "unclustered": "95.00 % overall current phase Clustering last report",
    "failed": "21.00 % overall current phase Training last report",
    "paused": "21.00 % overall current phase Training",
    "cancelled": "21.00 % overall current phase Training last report",
}
CLUSTERING = {
    "pending": f"Clustering Pending weight 5 · waits for the earlier phases 0.00 % Counted 0 Clusters {DASH}",
    "clustering": "Clustering Running weight 5 running started",
    "counted": f"30.93 % Counted 30 of 97 Clusters {DASH}",
    "completed": "Clustering Completed weight 5 5 clusters created",
    "no_clusters": "0 clusters created",
    "unclustered": "HDBSCAN ran out of memory",
}


@pytest.mark.parametrize("state", STATES)
def test_the_head_says_percent_status_phase_and_time(lead: Any, state: str) -> None:
    assert HEADS[state] in lead.open(address(make_in(state))).section("head")


@pytest.mark.parametrize("state", STATES)
def test_only_the_end_says_that_all_phases_are_complete(lead: Any, state: str) -> None:
    said = "All phases are completed." in lead.open(address(make_in(state))).text
    assert said is (state in ("completed", "no_clusters"))


def test_the_end_of_a_partial_session_says_that_something_is_missing(lead: Any) -> None:
    page = address(make_in("completed"))
    Job.objects.update(partial=True)
    assert "Every phase has ended; some items are missing." in lead.open(page).text


@pytest.mark.parametrize("state", CLUSTERING)
def test_clustering_is_told_in_words(lead: Any, state: str) -> None:
    assert CLUSTERING[state] in part(lead.open(address(make_in(state))), "clustering")


# --- the overall bar -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "drawn"),
    [
        ("training", [("30.0%", "70.0%", "5.0%"), ("65.0%", "0.0%", "0.0%"), ("5.0%", "0.0%", "0%")]),
        ("faces", [("30.0%", "100.0%", "0.0%"), ("65.0%", "25.0%", "5.0%"), ("5.0%", "0.0%", "0%")]),
        ("failed", [("30.0%", "70.0%", "30.0%"), ("65.0%", "0.0%", "0.0%"), ("5.0%", "0.0%", "0%")]),
        ("unclustered", [("30.0%", "100.0%", "0.0%"), ("65.0%", "100.0%", "0.0%"), ("5.0%", "0.0%", "100.0%")]),
        ("completed", [("30.0%", "100.0%", "0.0%"), ("65.0%", "100.0%", "0.0%"), ("5.0%", "100.0%", "0%")]),
    ],
)
def test_each_part_of_the_bar_has_its_weight_and_its_own_progress(lead: Any, state: str, drawn: Any) -> None:
    assert fillings(lead.open(address(make_in(state)))) == drawn


def test_the_bar_is_said_as_a_whole_with_its_parts(lead: Any) -> None:
    bar = overall(lead.open(address(make_in("faces"))))
    assert bar.attributes["role"] == "progressbar"
    assert (bar.attributes["aria-valuenow"], bar.attributes["aria-valuemax"]) == ("46.25", "100")
    assert bar.attributes["aria-valuetext"] == (
        "46.25 % overall: Training completed, 100.00 %; Face detection running, 25.00 %; Clustering pending, 0.00 %"
    )


def test_where_images_are_counted_a_line_marks_the_threshold(lead: Any) -> None:
    bar = overall(lead.open(address(make_in("faces"))))
    marks = [[line.attributes["x1"] for line in svg.find("line", cls="mark")] for svg in bar.find("svg", cls="bar")]
    assert marks == [["90%"], ["90%"], []]


@pytest.mark.parametrize(("state", "moving"), [("clustering", 1), ("counted", 0), ("completed", 0), ("training", 0)])
def test_only_work_without_a_total_is_drawn_without_one(lead: Any, state: str, moving: int) -> None:
    assert len(overall(lead.open(address(make_in(state)))).find("rect", cls="moving")) == moving


# --- the phases ----------------------------------------------------------------------------------------


def test_training_says_counts_rate_and_that_skipped_images_count(lead: Any, clock: Clock) -> None:
    session = make_session(images(200, 20))
    report(session, "training", ["completed"])
    clock.forward(60)
    report(session, "training", ["completed"] * 71 + ["failed"] * 2, start=1)
    shown = part(lead.open(address(session)), "training")
    assert "41.82 % 92 of 220 images 74.0 images per minute ETA" in shown
    assert "Unique 200 Skipped 20 counted as processed Failed 2 Needed 198 90 % Leased 0" in shown


def test_faces_say_faces_batch_and_the_number_of_the_detection_session(lead: Any) -> None:
    shown = part(lead.open(address(make_in("faces"))), "face_detection")
    assert "25.00 % 5 of 20 images" in shown
    assert "Faces detected 41 Faces assigned 37 Batch 1 of 2 16 images each" in shown
    assert "Detection session 1 confidence from 0.7 Failed 1" in shown


def test_a_restart_of_faces_begins_a_detection_session_of_which_nothing_is_told(lead: Any) -> None:
    session = make_in("completed")
    sessions.restart(session, what="faces", actor=lead.account, reason="a new model")
    shown = part(lead.open(address(session)), "face_detection")
    assert "run 2" in shown
    assert "Faces detected 0 Detection session none yet" in shown
    report(session, "face_detection", ["completed"])
    faces(session, faces_detected=3)
    assert "Detection session 2" in part(lead.open(address(session)), "face_detection")


def test_while_discovering_the_number_of_images_is_that_of_the_list_so_far(lead: Any) -> None:
    page = lead.open(address(make_in("discovering")))
    assert f"{DUPLICATES} of {UNIQUE + DUPLICATES} images listed so far" in part(page, "training")
    assert "images are still being listed" in page.section("head")


def test_the_last_report_is_said_by_its_age_which_the_browser_keeps_current(lead: Any, clock: Clock) -> None:
    session = make_in("training")
    clock.forward(8)
    page = lead.open(address(session))
    assert "last report 8 s ago" in page.section("head")
    [head] = page.root.find("section", data_section="head")
    assert [time.text for time in head.find("time") if "data-ago" in time.attributes][-1] == "8 s ago"


def test_a_phase_that_failed_says_when_and_why(lead: Any) -> None:
    shown = part(lead.open(address(make_in("failed"))), "training")
    assert "· failed" in shown
    assert "14 of 20 done, 6 failed; 18 were needed (90 %)" in shown


def test_a_session_completed_at_its_threshold_is_partial_in_its_part(lead: Any) -> None:
    session = make_session(20)
    report(session, "training", ["completed"] * 19 + ["failed"])
    shown = part(lead.open(address(session)), "training")
    assert "95.00 % 19 of 20 images" in shown
    assert "by settled, partial" in shown


def test_a_silent_session_says_why_it_is_stuck(lead: Any, clock: Clock) -> None:
    session = make_in("training")
    watchdog.find_stuck(clock.forward(3600))
    page = lead.open(address(session))
    assert "Stuck" in page.root.find("div", cls="head-line")[0].text
    assert "Why stuck" in page.section("acts")


def test_why_these_numbers_explains_the_skipped_ones(lead: Any) -> None:
    why = lead.open(address(make_in("faces"))).section("formula")
    assert "Overall: 0.30 · 100.00 + 0.65 · 25.00 + 0.05 · 0.00 = 46.25 %" in why
    assert "Training: (12 done + 8 skipped) of 20 images = 100.00 %. Skipped images are duplicates" in why
    assert "They need no training and count as processed" in why
    assert "Face detection: (5 done + 0 skipped) of 20 images = 25.00 %. Failed images do not count." in why
    assert "Clustering: no percent until it ends" in why


def test_why_names_an_open_list_and_a_told_total(lead: Any) -> None:
    assert "images are still being listed, so there is no total" in lead.open(address(make_in("discovering"))).text
    assert "Clustering: 30 of 97 as reported by the worker = 30.93 %." in lead.open(address(make_in("counted"))).text


def test_an_empty_session_waits_for_nothing_but_clustering(lead: Any) -> None:
    page = lead.open(address(make_session(0)))
    assert "95.00 % overall" in page.section("head")
    assert page.section("duplicates") == ""


# --- around it -----------------------------------------------------------------------------------------


def test_the_page_of_the_job_is_the_page_of_its_session(lead: Any) -> None:
    session = make_in("training")
    page = lead.open(f"/admin/jobs/job/{session.pk}/?phase=face_detection")
    assert page.response.redirect_chain == [(f"{address(session)}?phase=face_detection", 302)]
    assert "Face detection, 20" in page.section("items")
    assert "Training" in lead.open("/admin/").links()


def test_whoever_is_not_signed_in_is_asked_to(db: None) -> None:
    response = Client().get(address(make_session()))
    assert response.status_code == 302
    assert response.url.startswith("/admin/login/")


def test_without_the_permission_it_says_which_one_is_missing(browser: Any) -> None:
    session = make_session(name="hidden")
    page = browser("").open(address(session), status=403)
    assert "jobs.view_job" in page.text
    assert "hidden" not in page.text


def test_a_session_out_of_sight_is_not_there(browser: Any) -> None:
    session = make_session(name="theirs", project="b")
    assert "theirs" not in browser("viewer", projects=["a"]).open(address(session), status=404).text
    assert "theirs" in browser("viewer", projects=["b"]).open(address(session)).text


@pytest.mark.parametrize("key", ["0", "x", "9" * 30, "-1"])
def test_a_session_that_is_not_there_is_missing(lead: Any, key: str) -> None:
    lead.open(f"/admin/training/trainingsession/{key}/change/", status=404)


def test_a_job_of_another_kind_is_no_session(lead: Any) -> None:
    lead.open(f"/admin/training/trainingsession/{make_job(items=1).pk}/change/", status=404)


def test_what_a_worker_writes_is_text(lead: Any) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    session = make_session([image(evil, evil), image("a.jpg", evil)], name=evil, project=evil)
    finish(session, "training", "face_detection")
    clustering(session, "failed", error=evil)
    page = lead.open(address(session))
    assert page.text.count(evil) >= 6
    assert evil not in page.source
    assert "<img" not in page.source


@pytest.mark.parametrize("number", [20, 600])
def test_the_number_of_queries_does_not_grow_with_the_images(
    lead: Any, django_assert_max_num_queries: Any, number: int
) -> None:
    session = make_session(None)
    add(session, *images(number, number // 2), complete=True)
    report(session, "training", ["completed"] * (number // 2) + ["failed"])
    lead.open(address(session))
    with django_assert_max_num_queries(32):
        lead.open(address(session))
    assert job_of(session).stage.startswith("Training image")
