"""The pages of dead letters."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from jobs import inbox
from jobs.models import InboxMessage, Job

LETTERS = "/admin/jobs/inboxmessage/"


def batch(**data: Any) -> dict[str, Any]:
    """Return the announcement of a batch of frames."""
    given = {"job_id": "batch_001", "event_id": str(uuid4()), "total_keyframes": 3, **data}
    return {"type": "videos.keyframes.ready.batch", "data": given}


def letter(message: dict[str, Any] | bytes | None = None, reason: str = "The database was away.") -> InboxMessage:
    """Store a dead letter from the broker; by default one that is valid now."""
    return inbox.store_dead_letter(message or batch(), reason=reason, source="broker")


def replay(*letters: InboxMessage) -> str:
    """Return the page that processes these letters again."""
    return f"/admin/letters/replay/?{'&'.join(f'letter={each.pk}' for each in letters)}"


def test_the_list_shows_dead_letters_with_their_reason(lead: Any) -> None:
    letter(reason="total_keyframes: too many")
    replayed = letter(batch(job_id="other"))
    InboxMessage.objects.filter(pk=replayed.pk).update(status="replayed")
    page = lead.open(LETTERS)
    assert len(page.root.find("td", cls="field-name")) == 1
    assert "total_keyframes: too many" in page.text
    assert len(lead.open(f"{LETTERS}?status=all").root.find("td", cls="field-name")) == 2
    assert len(lead.open(f"{LETTERS}?status=replayed").root.find("td", cls="field-name")) == 1


def test_messages_that_were_applied_are_no_letters(lead: Any) -> None:
    taken = letter()
    InboxMessage.objects.filter(pk=taken.pk).update(status="applied", event_id=uuid4())
    assert not lead.open(f"{LETTERS}?status=all").root.find("td", cls="field-name")
    lead.open(f"{LETTERS}{taken.pk}/", status=404)


def test_the_page_of_a_letter_shows_what_came_and_why_it_was_refused(lead: Any) -> None:
    dead = letter(batch(job_id="<img src=x>"), reason="There is no such thing.")
    page = lead.open(f"{LETTERS}{dead.pk}/")
    assert "Refused without any change: There is no such thing." in page.text
    assert '"total_keyframes": 3' in page.text
    assert page.links()["videos.keyframes.ready.batch"] == "/admin/contracts/#videos.keyframes.ready.batch"
    assert "<img" not in page.source


def test_bytes_that_are_no_json_are_shown_as_text(lead: Any) -> None:
    page = lead.open(f"{LETTERS}{letter(b'<not json>', reason='is not JSON').pk}/")
    assert "A message without a type" in page.text
    assert '"raw": "<not json>"' in page.text


def test_a_letter_that_is_processed_again_has_its_effect(lead: Any) -> None:
    dead = letter()
    page = lead.confirm(replay(dead))
    assert page.messages == ["1 dead letter processed."]
    assert Job.objects.get().name == "batch_001"
    dead.refresh_from_db()
    assert dead.status == "replayed"


def test_one_that_is_refused_again_stays_and_the_others_are_processed(lead: Any) -> None:
    bad, good = letter(batch(total_frames=4)), letter()
    page = lead.confirm(replay(bad, good))
    assert page.messages[:2] == ["1 dead letter processed.", "1 dead letter refused again."]
    bad.refresh_from_db()
    assert bad.status == "dead"
    assert bad.reason != "The database was away."


def test_ticked_letters_are_asked_about_first(lead: Any) -> None:
    dead = letter()
    asked = lead.client.post(LETTERS, {"action": "replay", "_selected_action": dead.pk})
    assert "videos.keyframes.ready.batch" in lead.open(asked.url).text
    assert not Job.objects.exists()
    assert lead.confirm(asked.url).response.redirect_chain[-1] == (LETTERS, 302)


def test_a_letter_that_was_replayed_is_not_processed_twice(lead: Any) -> None:
    dead = letter()
    lead.confirm(replay(dead))
    page = lead.open(replay(dead))
    assert "Unchanged: It was processed already." in page.text
    assert not page.root.find("button", cls="do")


@pytest.mark.parametrize("role", ["", "viewer", "operator"])
def test_processing_again_needs_its_permission(browser: Any, role: str) -> None:
    dead = letter()
    browser(role).open(replay(dead), status=403)
    assert browser(role).client.post(replay(dead)).status_code == 403
    assert not Job.objects.exists()


def test_an_account_that_is_limited_to_projects_sees_no_letters(browser: Any) -> None:
    dead = letter()
    limited = browser("lead", projects=["a"])
    assert not limited.open(LETTERS).root.find("td", cls="field-name")
    limited.open(f"{LETTERS}{dead.pk}/", status=404)
    assert limited.client.post(replay(dead)).status_code == 404
    assert "dead letter" not in limited.open("/admin/").section("deliveries")


def test_the_overview_counts_dead_letters(lead: Any) -> None:
    letter()
    page = lead.open("/admin/")
    assert "1 dead letter" in page.section("deliveries")
    assert page.links()["1 dead letter"] == LETTERS


@pytest.mark.parametrize("many", [2, 30])
def test_the_queries_of_the_list_do_not_grow_with_the_rows(
    lead: Any, django_assert_max_num_queries: Any, many: int
) -> None:
    for n in range(many):
        letter(batch(job_id=f"batch-{n}"))
    lead.open(LETTERS)
    with django_assert_max_num_queries(10):
        lead.open(LETTERS)
