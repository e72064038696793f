"""A failure at night: the mail, its link, the sign-in with a second factor, the acknowledgement, the retry, the end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from playwright.sync_api import Browser, Page, expect

from jobs import operations, tracking
from jobs.models import Activity, Incident
from tests.e2e.conftest import PASSWORD, Complaints, make_account
from tests.e2e.story_helpers import expect_fact, expect_said
from tests.factories import WORKER, make_job, phase_of
from tests.jobs.live.server import LiveServer
from tests.jobs.notifications.conftest import MailServer
from tests.servers import free_port, on_test_database, started

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("transactional_db")]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SECONDS = 20


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    """A mail server."""
    made = MailServer(port=free_port())
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    yield made
    controller.stop()


@pytest.fixture(scope="module")
def site(running: LiveServer, mails: MailServer) -> Iterator[LiveServer]:
    """A site that sends mails, where leads need a second factor. Its deliverer and its watchdog run.

    The shared server has no mail server: it would take the message and try again much later. So it is stopped.
    """
    running.stop()
    port = free_port()
    given = {
        "TEST_SIGN_IN": "1",
        "SECOND_FACTOR_ROLES": "lead",
        "EMAIL_URL": f"smtp://127.0.0.1:{mails.port}",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    server = LiveServer(on_test_database(LOG_LEVEL="ERROR", **given))
    server.port = port
    with started(server):
        yield server


@pytest.fixture
def own_page(chromium: Browser, site: LiveServer, complaints: Complaints) -> Iterator[Page]:
    """A page of a browser that is not signed in."""
    context = chromium.new_context()
    page = context.new_page()
    complaints.listen(page)
    yield page
    context.close()


def mail(mails: MailServer, number: int) -> EmailMessage:
    """Return the mail of this number, which may be on its way."""
    until = time.monotonic() + SECONDS
    while len(mails.mails) < number:
        assert time.monotonic() < until, "the mail did not come"
        time.sleep(0.02)
    return mails.mails[number - 1]


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a mail."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_an_operator_reads_the_mail_follows_its_link_mends_and_gets_the_end(
    own_page: Page, site: LiveServer, mails: MailServer, settings: Any, complaints: Complaints
) -> None:
    olga = make_account("olga", "lead")
    TOTP.activate(olga, SECRET)
    settings.EMAIL_URL = f"smtp://127.0.0.1:{mails.port}"
    channel = operations.add_channel(name="on call", kind="mail", addresses=["olga@example.com"], actor=None)
    operations.add_rule(channel, kinds=["job_failed"], actor=None)
    job = make_job(name="billing-7", project="billing", items=1, on_shortfall="fail")
    result = tracking.Result("k0", "failed", error="disk full")
    tracking.report(phase_of(job), worker="w-7", results=[result], by=WORKER)

    opened = mail(mails, 1)
    text = text_of(opened)
    assert opened["Subject"] == "[Progress Site] Generic jobs failed: disk full (1 job, billing)"
    assert "Job: billing-7" in text
    assert "First error: k0 failed: disk full" in text
    [link] = re.findall(r"http://\S+", text)
    assert link == f"{site.url}/admin/incidents/{Incident.objects.get().pk}/"

    own_page.goto(link)
    own_page.get_by_label("Username").fill("olga")
    own_page.get_by_label("Password").fill(PASSWORD)
    own_page.get_by_role("button", name="Log in").click()
    own_page.get_by_label("Code of your authenticator app, or a recovery code").fill(
        format_hotp_value(hotp_value(SECRET, int(time.time()) // 30))
    )
    own_page.get_by_role("button", name="Sign in", exact=True).click()
    expect(own_page).to_have_url(link)
    expect(own_page.get_by_role("heading", name="Generic jobs failed: disk full")).to_be_visible()

    own_page.get_by_role("link", name="Acknowledge…").click()
    own_page.get_by_label("Note").fill("Making space.")
    own_page.get_by_role("button", name="Acknowledge").click()
    expect_said(own_page, "1 incident acknowledged.")
    expect(own_page.get_by_role("row").filter(has_text="Making space.")).to_contain_text("olga")

    own_page.get_by_role("link", name="Retry 1 failed…").click()
    expect_fact(own_page, "Will be retried", "1 failed item: k0")
    own_page.get_by_role("button", name="Retry 1 item").click()
    expect_said(own_page, "billing-7: 1 retried.")
    expect(own_page).to_have_url(link)
    expect(own_page.get_by_text("It is over.")).to_be_visible()

    ended = mail(mails, 2)
    assert ended["Subject"] == "[Progress Site] Over: Generic jobs failed: disk full (1 job, billing)"
    assert "Ended by: recovered" in text_of(ended)
    assert ended["References"] == opened["References"]
    said = Activity.objects.order_by("pk").filter(actor="olga").values_list("act", flat=True)
    assert list(said) == ["sign-in", "acknowledge", "retry"]
    assert complaints == []
