"""Texts of messages: what a person needs to know, and nothing that a worker could make act."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.models import Incident
from jobs.models.notifications import MessageState
from jobs.notifications.texts import Facts, Text, digest_of, link_to, text_of
from jobs.rules.incidents import IncidentKind
from jobs.rules.inert_text import first_sentence, one_line, without_markup
from tests.hostile_data import HOSTILE

NOW = timezone.now()
# What chats act on: mentions, links with another text, code, bold, strike, HTML tags, entities.
ACTIVE = re.compile(r"[<>\[\]`*~|@\\]|&#?\w+;|__")
TAGS = {"html", "head", "meta", "title", "body", "h2", "table", "tr", "td", "b", "p", "a", "br"}
LINK = "https://progress.example.com/admin/incidents/7/"

texts = st.one_of(
    st.sampled_from(sorted(HOSTILE.values())), st.text(max_size=300), st.text("<>[]()*_`~|@\\&#;:!\r\n\0ab")
)


class Tags(HTMLParser):
    """Collects the tags, the attributes and the text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def facts(text: str, *, kind: str = "job_failed", **fields: Any) -> Facts:
    """An incident that has this text in every field."""
    incident = Incident(
        pk=7,
        kind=kind,
        project=text[:128],
        title=text[:300] or "title",
        detail=text[:2000],
        error=text[:500],
        subjects=37,
        opened_at=NOW,
        changed_at=NOW,
        **fields,
    )
    return Facts(incident, [text[:200]] * 3, 37)


def messages(text: str) -> list[Text]:
    """Every message about such an incident."""
    over = facts(text, ended_at=NOW, ended_by=text[:200])
    single = [text_of(facts(text), state, now=NOW) for state in (MessageState.OPENED, MessageState.REMINDER)]
    return [*single, text_of(over, MessageState.ENDED, now=NOW), digest_of([(facts(text), "opened")] * 3, now=NOW)]


@pytest.fixture(autouse=True)
def public(settings: Any) -> None:
    settings.PUBLIC_URL = "https://progress.example.com"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts)
def test_no_text_of_a_worker_acts_in_a_mail_a_chat_or_a_page(text: str) -> None:
    lines = len(messages("plain")[0].plain.splitlines())
    for message in messages(text):
        assert_one_line(message.subject)
        assert_one_line(message.title)
        assert not ACTIVE.search(message.title.replace("[Progress Site]", ""))
        *chat, link = message.chat.split("\n")
        assert link.startswith("https://progress.example.com/admin/")
        assert not [line for line in chat if ACTIVE.search(line)]
        assert len(message.plain.splitlines()) <= lines + 2
        page = Tags()
        page.feed(message.html)
        assert page.tags <= TAGS
        assert {name for name, _ in page.attributes} <= {"lang", "charset", "valign", "href"}
        assert {value for name, value in page.attributes if name == "href"} == {link}
        built = EmailMultiAlternatives(message.subject, message.plain, "a@example.com", ["b@example.com"]).message()
        assert sorted(built.keys()) == sorted(
            ["Content-Type", "MIME-Version", "Content-Transfer-Encoding", "Subject", "From", "To", "Date", "Message-ID"]
        )


def assert_one_line(text: str) -> None:
    assert text
    assert len(text.splitlines()) == 1
    assert text.isprintable() or "\u200d" in text, ascii(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts)
def test_a_line_without_markup_stays_so(text: str) -> None:
    line = without_markup(one_line(text, most=200))
    assert without_markup(line) == line
    assert len(line) <= 200


def test_a_name_stays_readable() -> None:
    assert (
        without_markup("vision_033 (pages 101-125): 50 % of a/b.jpg & c")
        == "vision_033 (pages 101-125): 50 % of a/b.jpg & c"
    )


def test_the_first_sentence_of_an_error() -> None:
    assert first_sentence("Disk full. Call 7.", most=100) == "Disk full."
    assert first_sentence("a.b failed\nTraceback", most=100) == "a.b failed Traceback"
    assert len(first_sentence("W" * 500, most=100)) == 100


@pytest.mark.parametrize("kind", list(IncidentKind))
def test_each_kind_says_what_to_do(kind: str) -> None:
    text = text_of(facts("x", kind=kind), MessageState.OPENED, now=NOW)
    assert "What to do: " in text.plain
    assert LINK in text.plain
    assert "37 " in text.subject


def test_a_message_says_what_where_since_when_how_many_and_why() -> None:
    incident = Incident(
        pk=7,
        kind="job_failed",
        project="matter-789",
        title="ocr jobs failed: Document AI timeout",
        error="Document AI timeout after 30 s. Try again.",
        subjects=12,
        opened_at=NOW,
        changed_at=NOW,
    )
    text = text_of(Facts(incident, ["ocr-031", "ocr-032", "ocr-033"], 12), MessageState.OPENED, now=NOW)
    assert text.subject == "[Progress Site] ocr jobs failed: Document AI timeout (12 jobs, matter-789)"
    for line in ("Project: matter-789", "Jobs: ocr-031, ocr-032, ocr-033 and 9 more", "Error", LINK):
        assert line.lower() in text.plain.lower()
    assert "First error: Document AI timeout after 30 s.\n" in text.plain


def test_a_link_has_the_path_prefix_in_every_thread(settings: Any) -> None:
    settings.PATH_PREFIX = "/progress"
    assert link_to("/admin/") == link_to("/progress/admin/") == "https://progress.example.com/progress/admin/"
