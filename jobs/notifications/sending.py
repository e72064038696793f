"""One message to one channel: through Apprise, or by mail through this site's own mail server.

Nothing here uses the database, because it runs in threads of its own. No part of an address is ever in an answer or
in the log.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from jobs.models.notifications import Channel, ChannelKind
from jobs.notifications import addresses, secrets
from jobs.notifications.connection_guard import guarded
from jobs.notifications.texts import Text
from jobs.rules.limits import ERROR_LENGTH
from jobs.rules.strict_json import storable

log = structlog.get_logger(__name__)

SHOWN = 300
NO_MAIL = "EMAIL_URL is not set, so this site sends no mail. Set it, and restart the site."
ANSWER = re.compile(r"Response Details:\s*(?P<text>.*)", re.DOTALL)
STATUS = re.compile(r"error=(?P<status>\d{3})\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a service to a message, or why there is none.

    `final` says that only a person can mend it: trying again soon is useless.
    """

    sent: bool
    text: str
    final: bool = False


def send(channel: Channel, text: Text) -> Answer:
    """Send a message and return the answer; raise nothing."""
    try:
        address = secrets.decrypt(channel.address)
    except secrets.KeyChanged as error:
        return Answer(False, str(error), final=True)
    try:
        answer = _mail(address, text) if channel.kind == ChannelKind.MAIL else _apprise(address, text)
    except Exception as error:
        # The traceback may contain the address, so only the type of the error is logged.
        log.error("message_failed", channel_id=channel.pk, error=type(error).__name__)
        answer = Answer(False, f"An internal error occurred: {type(error).__name__}.")
    return Answer(answer.sent, _clean(answer.text, address), answer.final)


def _mail(addresses_: str, text: Text) -> Answer:
    """Send one mail to all addresses; the answer names the addresses that the server refused."""
    if not settings.EMAIL_URL:
        return Answer(False, NO_MAIL, final=True)
    to = addresses_.split("\n")
    message = EmailMultiAlternatives(text.subject, text.plain, settings.DEFAULT_FROM_EMAIL, to)
    message.attach_alternative(text.html, "text/html")
    message.extra_headers["Auto-Submitted"] = "auto-generated"
    if text.thread:
        message.extra_headers["References"] = f"<{text.thread}@progress-site>"
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, reason = next(iter(error.recipients.values()))
        return Answer(False, f"The mail server refused the recipients: {code} {_text(reason)}")
    except smtplib.SMTPResponseException as error:
        return Answer(False, f"The mail server answered {error.smtp_code}: {_text(error.smtp_error)}")
    except (smtplib.SMTPException, OSError) as error:
        return Answer(False, f"No answer from the mail server: {error or type(error).__name__}")
    return Answer(True, "The mail server accepted the message.")


def _apprise(address: str, text: Text) -> Answer:
    with addresses.collector.listening() as lines, guarded() as refusals:
        service = addresses.instantiate(address)
        if service is None:
            return Answer(False, "Apprise does not accept this address any more. Enter it again.", final=True)
        hub = addresses.library().Apprise(asset=service.asset)
        hub.add(service)
        sent = bool(hub.notify(title=text.title, body=text.chat, body_format="text", notify_type=text.severity))
    if sent:
        return Answer(True, f"{service.service_name} accepted the message.")
    if refusals:
        hint = "Set WEBHOOK_ALLOW_PRIVATE to allow it." if "public" in refusals[0] else ""
        return Answer(False, f"{refusals[0]} {hint}".strip())
    return Answer(False, _refusal(lines))


def _refusal(lines: Sequence[str]) -> str:
    """Return what the service answered, from the log of Apprise."""
    said = next((found["text"] for line in lines if (found := ANSWER.search(line))), "")
    status = next((found["status"] for line in lines if (found := STATUS.search(line))), "")
    said = re.sub(r"^b?(['\"])(.*)\1$", r"\2", said.strip(), flags=re.DOTALL)
    if status:
        return f"The service answered {status}: {said or 'nothing more'}"
    if said:
        return f"The service answered: {said}"
    connection = any("onnection error" in line or "Socket Exception" in line for line in lines)
    return "No answer: the service could not be reached." if connection else "Apprise did not send the message."


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _clean(text: str, address: str) -> str:
    """Return one line of storable text without any part of the address."""
    line = " ".join(addresses.without_secrets(text, address).split())
    return storable(line[:SHOWN])[:ERROR_LENGTH]
