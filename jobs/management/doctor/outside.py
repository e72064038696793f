"""Checks from outside: the site asked through its public address, as a browser, a worker and a listener do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from jobs.management.doctor.echo import PAUSE_SECONDS, STREAM, signed
from jobs.management.doctor.findings import Finding, fault, ok, warning
from jobs.management.doctor.inside import clock

SECONDS = 15.0
FIRST_EVENT_SECONDS = 2.0
BODY = b" " * 1_000_000
REFUSED, TOO_LARGE, SWITCHING = (400, 403), 413, 101
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "cHJvZ3Jlc3Mtc2l0ZS1kcg==",
}
HEADERS = "X-Forwarded-Proto, X-Forwarded-For and the Host"


@dataclass(frozen=True, slots=True)
class Address:
    """The public address of the site."""

    url: str

    @property
    def origin(self) -> str:
        """Its scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def scheme(self) -> str:
        """Its scheme."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """Its host and port, as browsers send them."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


def checks(url: str, *, verify: bool = True) -> Iterator[Finding]:
    """Yield the findings; if the site cannot be reached there is only one."""
    address = Address(url.rstrip("/"))
    with httpx.Client(base_url=address.url, timeout=SECONDS, verify=verify) as client:
        reached = _reach(client, address)
        yield reached
        if reached.status == "ok":
            yield from _arrival(client, address)
            for check in (_form, _socket, _stream, _body):
                yield _tried(check, client, address)


def _reach(client: httpx.Client, address: Address) -> Finding:
    try:
        answer = client.get("/healthz")
    except httpx.HTTPError as error:
        remedy = "Check the name, the port, the certificate, and that the proxy runs."
        return fault("address", f"{address.url} does not answer: {error or type(error).__name__}.", remedy)
    if answer.status_code == 200 and answer.headers.get("Content-Type", "").startswith("application/json"):
        return ok("address", f"{address.url} answers.")
    remedy = "Let the proxy pass all paths below this address on to the site, and set PATH_PREFIX to its path."
    if answer.status_code in (502, 503, 504):
        remedy = "Check that the servers of the site run, and their addresses in the proxy."
    return fault("address", f"{address.url}/healthz answers {answer.status_code}.", remedy)


def _arrival(client: httpx.Client, address: Address) -> Iterator[Finding]:
    """Compare the request that was sent with the one that arrived."""
    answer = client.get("/doctor", params={"signed": signed()})
    if answer.status_code in REFUSED:
        yield fault("host", f"The site refuses the host {address.host}.", _host_remedy(address))
    elif answer.status_code != 200:
        remedy = (
            "Ask the site that this command belongs to: the same SECRET_KEY, and the same PATH_PREFIX as the proxy."
        )
        yield fault("host", f"Another site answers at {address.url} ({answer.status_code}).", remedy)
    else:
        yield from _differences(answer.json(), address)


def _host_remedy(address: Address) -> str:
    name = urlsplit(address.url).hostname
    return f"Add {name} to ALLOWED_HOSTS, and let the proxy pass the Host on (nginx: proxy_set_header Host $http_host)."


def _differences(seen: dict[str, Any], address: Address) -> Iterator[Finding]:
    if seen["untrusted_proxy"]:
        text = f"The proxy {seen['client']} is not trusted, so its headers are ignored."
        yield fault("proxy", text, f"Add {seen['client']} to TRUSTED_PROXIES.")
    else:
        yield ok("proxy", f"Requests of this machine have the address {seen['client']}.")
    if seen["scheme"] != address.scheme:
        text = f"The request went out as {address.scheme} and arrived as {seen['scheme']}."
        yield fault("scheme", text, f"Let the proxy send {HEADERS}, and add it to TRUSTED_PROXIES.")
    else:
        yield ok("scheme", f"Requests arrive as {seen['scheme']}.")
    if seen["host"] != address.host:
        text = f"The request went out to {address.host} and arrived for {seen['host']}."
        yield fault("host", text, _host_remedy(address))
    else:
        yield ok("host", f"Requests arrive for {seen['host']}.")
    yield clock("clock-site", seen["time"], "the site")


def _tried(check: Any, client: httpx.Client, address: Address) -> Finding:
    try:
        finding: Finding = check(client, address)
    except httpx.HTTPError as error:
        name = check.__name__.strip("_")
        return fault(name, f"No answer: {error or type(error).__name__}.", "Look into the log of the proxy.")
    return finding


def _form(client: httpx.Client, address: Address) -> Finding:
    """Send the form of the sign-in without a name, which only its token and its origin can refuse."""
    page = client.get("/admin/login/")
    token = next((value for name, value in client.cookies.items() if name.endswith("csrftoken")), "")
    if page.status_code != 200 or not token:
        remedy = "With HTTPS=on the address must be https. Let the proxy pass Set-Cookie and Cookie on."
        return fault("forms", f"The sign-in page ({page.status_code}) set no cookie that a browser keeps.", remedy)
    answer = client.post("/admin/login/", data={"csrfmiddlewaretoken": token}, headers={"Origin": address.origin})
    if answer.status_code == 403:
        remedy = f"Let the proxy pass {HEADERS} on, or add {address.origin} to CSRF_TRUSTED_ORIGINS."
        return fault("forms", f"Forms of {address.origin} are refused. The log says more (form_refused).", remedy)
    return ok("forms", f"Forms of {address.origin} are accepted.")


def _socket(client: httpx.Client, address: Address) -> Finding:
    """Ask for a websocket; its ticket is wrong, so the site closes it at once."""
    headers = {**HANDSHAKE, "Origin": address.origin}
    with client.stream("GET", "/ws/jobs", params={"ticket": "doctor"}, headers=headers) as answer:
        status = answer.status_code
    if status == SWITCHING:
        return ok("websockets", "The proxy passes websockets on.")
    if status == 403:
        remedy = f"{_host_remedy(address)} The log says more (socket_refused)."
        return fault("websockets", f"Websockets of pages of {address.origin} are refused.", remedy)
    remedy = (
        "Let the proxy speak HTTP/1.1 to the site and pass Upgrade and Connection on "
        "(nginx: deploy/nginx/progress-proxy.conf). Pages poll meanwhile."
    )
    return fault("websockets", f"The upgrade to a websocket is lost: {status} instead of 101.", remedy)


def _stream(client: httpx.Client, address: Address) -> Finding:
    """Measure the time until the first of two events arrives."""
    begun = time.monotonic()
    headers = {"Accept": STREAM}
    with client.stream("GET", "/doctor", params={"signed": signed()}, headers=headers) as answer:
        if answer.status_code != 200:
            return warning("streams", f"The stream answers {answer.status_code}.", "Mend the faults above first.")
        next(answer.iter_bytes(), b"")
        waited = time.monotonic() - begun
    if waited > FIRST_EVENT_SECONDS:
        remedy = "Switch buffering (nginx: proxy_buffering off) and compression of text/event-stream off in the proxy."
        kept = " It came with the second one, so the proxy buffers." if waited >= PAUSE_SECONDS else ""
        return fault("streams", f"The first event of a stream took {waited:.1f} s.{kept}", remedy)
    return ok("streams", f"The first event of a stream came after {waited:.1f} s.")


def _body(client: httpx.Client, address: Address) -> Finding:
    """Send almost as large a body as the site takes."""
    answer = client.post("/doctor", params={"signed": signed()}, content=BODY)
    if answer.status_code == TOO_LARGE:
        remedy = "Raise the limit of the proxy to 1 MiB (nginx: client_max_body_size 1m)."
        return fault("bodies", "The proxy refuses bodies that the site takes.", remedy)
    return ok("bodies", "Bodies of 1 MB pass.")
