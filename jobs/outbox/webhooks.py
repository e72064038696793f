"""Webhooks: signed HTTP requests as described by Standard Webhooks.

The host is resolved once, and the request goes to exactly the address that was checked. The host's name is in the
Host header, the TLS handshake and the check of the certificate. No redirect is followed, and at most 64 KiB of a
response are read. Behind WEBHOOK_PROXY the proxy resolves the host, and decides which addresses may be reached.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from urllib.parse import SplitResult

import httpx
from django.conf import settings
from django.utils import timezone
from standardwebhooks import Webhook

from jobs.models.outbox import Endpoint
from jobs.outbox.messages import Message, Outcome, failed
from jobs.outbox.url_policy import PORTS, Unreachable, check_address, check_url, resolve
from jobs.rules.errors import BadInput
from jobs.rules.strict_json import storable

SECONDS = 10.0
ANSWER_BYTES = 64 * 1024
# The first wave, and each after one without a response, is small: an endpoint that hangs occupies few sockets.
AT_ONCE, AT_FIRST = 16, 4
GONE = 410
# The only 4xx that a retry can change: request timeout, too early, too many requests.
TEMPORARY = (408, 425, 429)
SHOWN = 300
# Not asyncio's own threads: closing its loop would wait for a hanging DNS query.
_look_ups = ThreadPoolExecutor(64, thread_name_prefix="look-up")
_looked_up: dict[tuple[str, int], Future[str]] = {}
_lock = Lock()


class WebhookSender:
    """Sender of messages to one webhook, over connections that stay open while there is something to send."""

    def __init__(self) -> None:
        self.width = AT_FIRST
        self._runner = asyncio.Runner()
        self._client: httpx.AsyncClient | None = None

    def send(self, endpoint: Endpoint, messages: Sequence[Message]) -> list[Outcome]:
        """Send these messages in parallel."""
        try:
            url = check_url(endpoint.url)
            address = "" if settings.WEBHOOK_PROXY else _address(url)
        except (BadInput, Unreachable, TimeoutError) as error:
            outcomes = [Outcome(_sentence(error), answered=False)] * len(messages)
        else:
            outcomes = self._runner.run(self._send(endpoint, messages, url=url, address=address))
        self.width = AT_ONCE if all(outcome.answered for outcome in outcomes) else AT_FIRST
        return outcomes

    def close(self) -> None:
        """Close the connections."""
        if self._client:
            self._runner.run(self._client.aclose())
        self._runner.close()

    async def _send(
        self, endpoint: Endpoint, messages: Sequence[Message], *, url: SplitResult, address: str
    ) -> list[Outcome]:
        client = self._client = self._client or new_client()
        requests = [_request(client, endpoint, message, url=url, address=address) for message in messages]
        outcomes = await asyncio.gather(*(_outcome(client, request) for request in requests), return_exceptions=True)
        return [_without_error(outcome) for outcome in outcomes]


def new_client() -> httpx.AsyncClient:
    """Return a client that ignores its environment, except for the system's trusted certificates.

    WEBHOOK_CA_FILE adds certificates, WEBHOOK_PROXY names the proxy.
    """
    trusted = ssl.create_default_context()
    if settings.WEBHOOK_CA_FILE:
        trusted.load_verify_locations(settings.WEBHOOK_CA_FILE)
    timeout = httpx.Timeout(SECONDS)
    return httpx.AsyncClient(
        verify=trusted, trust_env=False, follow_redirects=False, timeout=timeout, proxy=_proxy(trusted)
    )


def _proxy(trusted: ssl.SSLContext) -> httpx.Proxy | None:
    address = settings.WEBHOOK_PROXY
    return httpx.Proxy(address, ssl_context=trusted if address.startswith("https:") else None) if address else None


def signed(message: Message, *, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks, with a signature by each secret."""
    body, utc = message.body.decode(), at.astimezone(UTC)
    return {
        "webhook-id": message.event_id,
        "webhook-timestamp": str(int(utc.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message.event_id, utc, body) for secret in secrets),
    }


def _address(url: SplitResult) -> str:
    """Resolve the host. A DNS query cannot be cancelled, so a hanging one is shared and occupies one thread only."""
    key = str(url.hostname), url.port or PORTS[url.scheme]
    with _lock:
        found = _looked_up.get(key)
        if found is None or found.done():
            found = _looked_up[key] = _look_ups.submit(resolve, *key)
    try:
        address = found.result(timeout=SECONDS)
        check_address(url, address)
        return address
    finally:
        with _lock:
            if found.done() and _looked_up.get(key) is found:
                del _looked_up[key]


def _request(
    client: httpx.AsyncClient, endpoint: Endpoint, message: Message, *, url: SplitResult, address: str
) -> httpx.Request:
    now = timezone.now()
    headers: Mapping[str, str] = {
        "Host": url.netloc,
        "Content-Type": message.content_type,
        "User-Agent": "progress-site",
        **signed(message, secrets=endpoint.secrets(now), at=now),
    }
    extensions = {"sni_hostname": str(url.hostname)}
    target = _target(url, address=address)
    return client.build_request("POST", target, content=message.body, headers=headers, extensions=extensions)


def _target(url: SplitResult, *, address: str) -> str:
    """Return the URL with the checked address in place of the host; a proxy gets the host."""
    if not address:
        return url.geturl()
    port = f":{url.port}" if url.port else ""
    literal = f"[{address}]" if ":" in address else address
    return url._replace(netloc=f"{literal}{port}").geturl()


async def _outcome(client: httpx.AsyncClient, request: httpx.Request) -> Outcome:
    try:
        async with asyncio.timeout(SECONDS):
            answer = await client.send(request, stream=True)
            try:
                text = await _beginning(answer)
            finally:
                await answer.aclose()
    except (httpx.HTTPError, ssl.SSLError, OSError, TimeoutError) as error:
        return Outcome(_sentence(error), answered=False)
    return _judged(answer.status_code, text, retry_after=_pause(answer.headers.get("retry-after", "")))


def _without_error(outcome: Outcome | BaseException) -> Outcome:
    """Return the outcome; an unexpected error of one message fails none of the others."""
    if isinstance(outcome, Exception):
        return failed(outcome)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


async def _beginning(answer: httpx.Response) -> bytes:
    """Read at most ANSWER_BYTES of the response."""
    text = b""
    async for chunk in answer.aiter_raw(8192):
        text += chunk
        if len(text) >= ANSWER_BYTES:
            break
    return text[:ANSWER_BYTES]


def _judged(status: int, text: bytes, *, retry_after: timedelta | None) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status=status)
    said = " ".join(text.decode(errors="replace").replace("\0", "").split())[:SHOWN]
    what = "a redirect, which is not followed" if 300 <= status < 400 else said or "nothing more"
    return Outcome(
        f"The endpoint answered {status}: {what}",
        status=status,
        gone=status == GONE,
        final=400 <= status < 500 and status not in TEMPORARY,
        retry_after=retry_after,
    )


def _pause(header: str) -> timedelta | None:
    """Parse a Retry-After header: seconds or a date; None if it is neither."""
    text = header.strip()
    if text.isdecimal() and text.isascii():
        return timedelta(seconds=int(text[:9]))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(aware - timezone.now(), timedelta(0))


def _sentence(error: Exception) -> str:
    if isinstance(error, (TimeoutError, httpx.TimeoutException)):
        return f"No answer within {SECONDS:.0f} s."
    if isinstance(error, (BadInput, Unreachable)):
        return str(error)
    return storable(f"No answer: {error or type(error).__name__}")
