"""Restarts from the session page, and its list of duplicates."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.models import Item
from tests.factories import phase_of
from tests.training.factories import images, job_of, make_session, report
from tests.training.pages.reading import address, offers
from tests.training.pages.states import make_in
from training.models import TrainingImage, TrainingSession

FAILED, TRAINING, FACES, CLUSTERING = (
    "Restart failed images…",
    "Restart training…",
    "Restart faces…",
    "Restart clustering…",
)
MOST_PAGES = 5
NOT_PERMITTED = "off: Needs the permission “Can restart phases”. Ask an administrator for a role that has it."


# --- restarts ------------------------------------------------------------------------------------------


def test_each_restart_says_what_it_would_do(lead: Any) -> None:
    session = make_in("unclustered")
    assert offers(lead.open(address(session))) == {
        FAILED: "off: No image has failed.",
        TRAINING: "Trains every image again, except skipped ones; face detection and clustering restart.",
        FACES: "Starts a new detection session over every image; clustering restarts.",
        CLUSTERING: "Clusters the faces again.",
    }


@pytest.mark.parametrize("state", ["pending", "discovering"])
def test_what_has_not_begun_cannot_be_restarted(lead: Any, state: str) -> None:
    said = offers(lead.open(address(make_in(state))))
    assert said[TRAINING] == "off: Training has not started yet."
    assert said[FACES] == "off: Face detection waits until the earlier phases are completed."


def test_a_phase_whose_gate_has_opened_has_to_begin_first(lead: Any) -> None:
    session = make_session(3)
    report(session, "training", ["completed"] * 3)
    said = offers(lead.open(address(session)))
    assert said[FACES] == "off: Face detection has not started yet."
    assert not said[TRAINING].startswith("off")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("failed", "Sets 6 failed images of training to pending; face detection and clustering restart."),
        ("faces", "Sets 1 failed image of face detection to pending; clustering restarts."),
    ],
)
def test_failed_images_are_those_of_training_else_those_of_faces(lead: Any, state: str, said: str) -> None:
    assert offers(lead.open(address(make_in(state))))[FAILED] == said


def test_without_the_permission_every_restart_is_off_with_the_reason(browser: Any) -> None:
    said = offers(browser("operator").open(address(make_in("failed"))))
    assert set(said.values()) == {NOT_PERMITTED}


def test_a_viewer_is_offered_no_restart_and_reads_why(browser: Any) -> None:
    page = browser("viewer").open(address(make_in("failed")))
    assert (offers(page), "View only. Ask an administrator for the role operator." in page.text) == ({}, True)


@pytest.mark.parametrize(
    ("state", "label", "phase", "only"),
    [
        ("failed", FAILED, "training", "failed"),
        ("faces", FAILED, "face_detection", "failed"),
        ("completed", TRAINING, "training", "all"),
        ("completed", FACES, "face_detection", "all"),
        ("unclustered", CLUSTERING, "clustering", "all"),
    ],
)
def test_a_restart_asks_first_does_it_and_leads_back(lead: Any, state: str, label: str, phase: str, only: str) -> None:
    session = make_in(state)
    asked = lead.open(lead.open(address(session)).links()[label])
    [chosen] = [option for option in asked.root.find("option") if option.attributes["value"] == phase]
    assert "selected" in chosen.attributes
    page = lead.confirm(asked.response.request["PATH_INFO"] + "?" + asked.response.request["QUERY_STRING"],
                        phase=phase, only=only, reason="a new model")  # fmt: skip
    assert page.response.redirect_chain[-1][0] == address(session)
    assert "pending again" in page.messages[0]
    assert phase_of(job_of(session), phase).run == 2


def test_a_restart_of_failed_images_leaves_the_trained_ones(lead: Any) -> None:
    session = make_in("failed")
    link = lead.open(address(session)).links()[FAILED]
    lead.confirm(link, phase="training", only="failed", reason="more memory")
    phase = phase_of(job_of(session), "training")
    assert (phase.done, phase.failed, phase.skipped) == (6, 0, 8)


# --- duplicates ----------------------------------------------------------------------------------------


def listed(page: Any) -> list[tuple[str, ...]]:
    """The rows of the list: status, image, what it is a duplicate of, hash."""
    [section] = page.root.find("section", data_section="duplicates")
    return [tuple(cell.text for cell in row.find("td")) for row in section.find("tr") if row.find("td")]


def test_the_list_says_which_images_are_duplicates_of_which(lead: Any) -> None:
    page = lead.open(address(make_session(images(2, 2))))
    assert listed(page) == [("Skipped", "i2.jpg", "i0.jpg", "same"), ("Skipped", "i3.jpg", "i0.jpg", "same")]
    image = TrainingImage.objects.duplicates().earliest("pk")
    assert page.links()["i2.jpg"] == f"/admin/jobs/item/{image.pk}/change/"


def test_without_duplicates_there_is_no_list(lead: Any) -> None:
    page = lead.open(address(make_session(3)))
    assert page.section("duplicates") == ""


def pages_of(lead: Any, session: TrainingSession, query: str = "") -> list[list[tuple[str, ...]]]:
    """Every page of the list, from the first to the last."""
    found, place = [], query
    while place is not None and len(found) < MOST_PAGES:
        page = lead.open(address(session) + place)
        found.append(listed(page))
        place = page.links().get("Next duplicates")
    return found


def test_the_list_comes_in_pages_that_end_and_lose_nothing(lead: Any) -> None:
    session = make_session(images(3, 25))
    pages = pages_of(lead, session)
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [row[1] for page in pages for row in page] == [f"i{n}.jpg" for n in range(3, 28)]


def test_the_pages_of_the_list_keep_what_else_is_asked_for(lead: Any) -> None:
    session = make_session(images(3, 25))
    links = lead.open(f"{address(session)}?phase=training&status=skipped").links()
    assert links["Next duplicates"].startswith("?phase=training&status=skipped&duplicates_after=")
    page = lead.open(address(session) + links["Next duplicates"])
    assert "Training, 28" in page.section("items")
    assert page.links()["First duplicates"] == "?phase=training&status=skipped#duplicates"


@pytest.mark.parametrize("query", ["?duplicates_after=x", "?duplicates_after=-1", "?duplicates_after=" + "9" * 40])
def test_an_address_that_makes_no_sense_begins_the_list(lead: Any, query: str) -> None:
    assert len(listed(lead.open(address(make_session(images(2, 2))) + query))) == 2


def test_behind_the_last_duplicate_the_list_says_so(lead: Any) -> None:
    session = make_session(images(2, 2))
    last = Item.objects.latest("pk").pk
    page = lead.open(f"{address(session)}?duplicates_after={last}")
    assert "No more duplicates." in page.section("duplicates")
    assert "First duplicates" in page.links()
