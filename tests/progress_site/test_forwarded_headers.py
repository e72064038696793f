"""Requests through a proxy: only a trusted one is believed, and each request has an id."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from structlog.testing import capture_logs

from progress_site import environment, forwarded_headers
from progress_site.asgi_middleware import RootPath, below_prefix
from progress_site.forwarded_headers import RequestId, forwarded
from tests.progress_site.test_settings import start

PROXY, CLIENT = "10.0.0.1", "192.0.2.7"
SAID = {
    b"x-forwarded-for": CLIENT.encode(),
    b"x-forwarded-proto": b"https",
    b"x-forwarded-host": b"progress.example.com",
}


def scope_of(peer: str, headers: dict[bytes, bytes] = SAID, *, kind: str = "http", path: str = "/") -> dict[str, Any]:
    scheme = "http" if kind == "http" else "ws"
    raw = [(b"host", b"10.0.0.9:8000"), *headers.items()]
    return {"type": kind, "scheme": scheme, "client": (peer, 4711), "path": path, "headers": raw}


@pytest.fixture(autouse=True)
def _one_proxy(settings: Any) -> None:
    settings.TRUSTED_PROXIES = [ip_network(PROXY)]
    forwarded_headers._log_untrusted.cache_clear()


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
def test_a_trusted_proxy_names_the_client_the_scheme_and_the_host(kind: str, scheme: str) -> None:
    seen = forwarded(scope_of(PROXY, kind=kind))
    assert (seen["client"][0], seen["scheme"]) == (CLIENT, scheme)
    assert seen["headers"] == [(b"host", b"progress.example.com")]


def test_nothing_is_believed_of_another_address_and_the_log_says_what_to_do() -> None:
    with capture_logs() as lines:
        seen = [forwarded(scope_of("10.0.0.2")) for _ in range(3)]
    assert seen[0] == {**scope_of("10.0.0.2"), "headers": [(b"host", b"10.0.0.9:8000")], "untrusted_proxy": True}
    assert [(line["event"], line["peer"]) for line in lines] == [("proxy_not_trusted", "10.0.0.2")]
    assert "TRUSTED_PROXIES" in lines[0]["remedy"]


def test_the_outermost_of_several_proxies_knows_the_scheme() -> None:
    headers = {b"x-forwarded-proto": b"https, http"}
    assert forwarded(scope_of(PROXY, headers))["scheme"] == "https"
    assert forwarded(scope_of(PROXY, {b"x-forwarded-proto": b"gopher"}))["scheme"] == "http"


def test_a_request_without_these_headers_is_untouched() -> None:
    scope = scope_of(PROXY, {})
    assert forwarded(scope) is scope


@pytest.mark.parametrize(
    ("given", "returned"),
    [(b"0af7-65:1.x", b"0af7-65:1.x"), (b"a" * 129, None), (b"two words", None), (b"", None), (b'{"x":1}', None)],
)
async def test_the_id_of_a_request_is_taken_and_returned_if_it_cannot_break_a_line_of_the_log(
    given: bytes, returned: bytes | None
) -> None:
    sent: list[Any] = []
    seen: list[bytes] = []

    async def site(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"])[b"x-request-id"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    await RequestId(site)(scope_of(PROXY, {b"x-request-id": given}), None, send)  # type: ignore[arg-type]
    [number] = seen
    assert sent[0]["headers"] == [(b"x-request-id", number)]
    assert number == (returned or number)
    assert (number == given) == (returned is not None)


@pytest.mark.parametrize(
    ("path", "below"),
    [("/progress", "/"), ("/progress/admin/", "/admin/"), ("/admin/", "/admin/"), ("/progressive", "/progressive")],
)
async def test_a_proxy_may_remove_the_prefix_or_not(settings: Any, path: str, below: str) -> None:
    settings.PATH_PREFIX = "/progress"
    seen: list[Any] = []

    async def site(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    await RootPath(site)({**scope_of(PROXY, path=path), "root_path": "/forged"}, None, None)  # type: ignore[arg-type]
    assert (seen[0]["path"], seen[0]["root_path"]) == (below, "")
    assert below_prefix(seen[0])["path"] == f"/progress{below}"


@pytest.mark.parametrize("value", ["/admin", "api/x", "/a b", "/../x", "/a//b", "/ü", "/a?b", "/ws"])
def test_a_prefix_is_a_plain_path_that_is_none_of_the_site_s_own(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH_PREFIX", value)
    with pytest.raises(environment.ImproperlyConfigured, match="PATH_PREFIX"):
        environment.path_prefix("PATH_PREFIX")


@pytest.mark.parametrize(("value", "prefix"), [("", ""), ("/", ""), ("progress", "/progress"), ("/a/b/", "/a/b")])
def test_slashes_around_a_prefix_do_not_matter(value: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH_PREFIX", value)
    assert environment.path_prefix("PATH_PREFIX") == prefix


def test_cookies_of_a_site_below_a_path_have_this_path_and_a_name_of_their_own() -> None:
    assert start("SESSION_COOKIE_PATH", PATH_PREFIX="/ops/progress").stdout.strip() == "/ops/progress/"
    assert start("SESSION_COOKIE_NAME", PATH_PREFIX="/ops/progress").stdout.strip() == "ops-progress-sessionid"
    assert start("SESSION_COOKIE_NAME", PATH_PREFIX="/ops", COOKIE_PREFIX="x-").stdout.strip() == "x-sessionid"
