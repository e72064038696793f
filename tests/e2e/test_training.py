"""The training session page in a browser, with and without websockets and scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Request, WebSocketRoute, expect

from jobs import operations
from tests.e2e.rules import findings_of
from tests.e2e.test_accessible_pages import complained
from tests.e2e.test_live_pages import assert_not_reloaded, expect_mode, mark_page
from tests.training.factories import clustering, faces, finish, images, job_of, make_session, report
from tests.training.pages.reading import DETECTIONS, IMAGES, SESSIONS, address
from tests.training.pages.states import STATES, make_in
from training import sessions
from training.models import TrainingSession

pytestmark = pytest.mark.e2e
MINUTE, STEP = 60_000, 3_000


def expect_head(page: Page, text: str) -> None:
    """The head says this."""
    expect(page.locator("[data-section=head]")).to_contain_text(text)


def expect_status(page: Page, word: str) -> None:
    """The pill beside the name says this."""
    expect(page.locator(".head-line .pill").first).to_contain_text(word)


def expect_part(page: Page, code: str, text: str) -> None:
    """The panel of a phase says this."""
    expect(page.locator(f"article[aria-labelledby=part-{code}]")).to_contain_text(text)


# --- live ----------------------------------------------------------------------------------------------


def test_a_session_is_watched_from_its_first_image_to_the_last_cluster(page: Page, complaints: Any) -> None:
    session = make_session(images(12, 8))
    page.goto(address(session))
    expect_mode(page, "Live")
    mark_page(page)
    report(session, "training", ["completed"] * 6)
    expect_head(page, "21.00 %")
    expect(page.get_by_role("progressbar", name="Overall progress")).to_have_attribute("aria-valuenow", "21.0")
    finish(session, "training")
    report(session, "face_detection", ["completed"] * 5)
    expect_head(page, "46.25 %")
    faces(session, faces_detected=41, current_batch=1, total_batches=2)
    expect_part(page, "face_detection", "41")
    finish(session, "face_detection")
    clustering(session, "running")
    expect(page.locator("svg.overall .moving")).to_have_count(1)
    clustering(session, "completed", clusters_created=0)
    expect_head(page, "All phases are completed.")
    expect_part(page, "clustering", "0 clusters created")
    expect_mode(page, "Done")
    assert_not_reloaded(page)
    assert complaints == []


def test_the_age_of_the_last_report_goes_on_by_itself(page: Page) -> None:
    page.clock.install()
    page.goto(address(make_in("training")))
    expect_mode(page, "Live")
    page.clock.run_for(2 * MINUTE)
    expect_head(page, "last report 2 min ago")


def test_the_page_of_a_failed_session_hears_of_its_restart(page: Page, lead: Any) -> None:
    session = make_in("failed")
    page.goto(address(session))
    expect_mode(page, "Live")
    mark_page(page)
    sessions.restart(session, what="failed", actor=lead, reason="more memory")
    expect_status(page, "Pending")
    assert_not_reloaded(page)


def test_clustering_alone_is_begun_anew_through_the_page_that_asks(page: Page, complaints: Any) -> None:
    session = make_in("unclustered")
    page.goto(address(session))
    expect_part(page, "clustering", "HDBSCAN ran out of memory")
    page.locator("[data-section=restarts]").get_by_role("link", name="Restart clustering…").click()
    page.get_by_label("Reason").fill("The machine has more memory now")
    page.get_by_role("button", name="Restart").click()
    expect_head(page, "95.00 %")
    expect_mode(page, "Live")
    clustering(session, "completed", clusters_created=7)
    expect_head(page, "All phases are completed.")
    expect_part(page, "clustering", "7 clusters created")
    assert complaints == []


# --- where websockets do not get through -----------------------------------------------------------------


class Asked(list[str]):
    """Everything that a page asks the server for: requests, and tries of a websocket, which all fail."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.unanswered = 0
        page.clock.install()
        page.route_web_socket("**/ws/**", self.refuse)
        page.on("request", self.ask)
        for event in ("requestfinished", "requestfailed"):
            page.on(event, self.answer)

    def ask(self, request: Request) -> None:
        """A request begins."""
        self.append(request.url)
        self.unanswered += 1

    def answer(self, request: Request) -> None:
        """A request is over."""
        self.unanswered -= 1

    def refuse(self, socket: WebSocketRoute) -> None:
        """Close it at once."""
        self.append(socket.url)
        socket.close()

    def within(self, milliseconds: int) -> list[str]:
        """Return the requests within this time."""
        for _ in range(milliseconds // STEP):
            self.page.clock.run_for(STEP)
            self.page.wait_for_timeout(10)
            while self.unanswered > 0:  # the clock stands still for answers
                self.page.wait_for_timeout(10)
        found = list(self)
        self.clear()
        return found

    def polled(self, session: TrainingSession) -> int:
        """Return the number of job requests per minute."""
        return sum(url.endswith(f"/api/v1/jobs/{session.pk}") for url in self.within(MINUTE))


@pytest.mark.parametrize("state", ["discovering", "training", "paused"])
def test_polling_goes_on_while_the_session_is_not_over(page: Page, state: str) -> None:
    session = make_in(state)
    asked = Asked(page)
    page.goto(address(session))
    asked.within(MINUTE // 2)
    expect_mode(page, "Polling")
    assert asked.polled(session) >= 8
    report(session, "training", ["completed"], start=10)
    asked.within(MINUTE // 4)
    expect_part(page, "training", "15 of 20" if state != "discovering" else "9 of 20")


def _complete(session: TrainingSession) -> None:
    finish(session, "training", "face_detection")
    clustering(session, "completed")


def _fail(session: TrainingSession) -> None:
    report(session, "training", ["failed"] * 6, start=6)


def _cancel(session: TrainingSession) -> None:
    operations.cancel(job_of(session), actor=None)


ENDS: dict[str, Callable[[TrainingSession], None]] = {"Completed": _complete, "Failed": _fail, "Cancelled": _cancel}


@pytest.mark.parametrize("end", ENDS)
def test_after_the_end_of_a_session_nothing_is_asked_for(page: Page, end: str) -> None:
    session = make_session(images(12, 8))
    report(session, "training", ["completed"] * 6)
    asked = Asked(page)
    page.goto(address(session))
    asked.within(MINUTE // 2)
    expect_mode(page, "Polling")
    ENDS[end](session)
    asked.within(MINUTE // 2)
    expect_status(page, end)
    assert asked.within(5 * MINUTE) == []


def test_a_failed_session_that_goes_on_is_polled_again_once_somebody_looks(page: Page, lead: Any) -> None:
    session = make_in("failed")
    asked = Asked(page)
    page.goto(address(session))
    asked.within(MINUTE // 2)
    expect_mode(page, "Resting")
    sessions.restart(session, what="failed", actor=lead, reason="more memory")
    assert asked.within(MINUTE) == []
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert asked.polled(session) >= 8
    expect_status(page, "Pending")


# --- for everybody ---------------------------------------------------------------------------------------


def test_without_scripts_the_page_shows_the_same(chromium: Any, server: Any, context: Any, page: Page) -> None:
    session, over = make_in("faces"), make_in("completed")
    still = chromium.new_context(base_url=server.url, java_script_enabled=False, storage_state=context.storage_state())
    other = still.new_page()
    other.goto(address(session))
    expect_head(other, "46.25 %")
    expect(other.get_by_role("progressbar", name="Overall progress")).to_have_attribute("aria-valuenow", "46.25")
    assert 'http-equiv="refresh"' in other.content()
    other.goto(address(over))
    assert 'http-equiv="refresh"' not in other.content()
    still.close()


@pytest.mark.full
def test_pages_of_training_break_no_rule(page: Page, complaints: Any) -> None:
    places = [address(make_in(state, name=f"{state}-" + "long-name-" * 15)) for state in STATES]
    lists = [f"{SESSIONS}?status=all", SESSIONS, IMAGES, f"{IMAGES}?duplicate=yes", DETECTIONS, f"{SESSIONS}?q=none"]
    assert findings_of(page, [*places, *lists]) == []
    assert complained(complaints) == []
