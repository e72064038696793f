"""ASGI application of the site: HTTP by Django, websockets by Channels.

A websocket is accepted from a page of a served host (by its Origin header), with the session of that page. A request
without an Origin does not come from a browser, so no page of another site can have caused it. A page of an origin in
CSRF_TRUSTED_ORIGINS needs a ticket: with a ticket the session is ignored, so the page cannot use the operator's.
"""

from __future__ import annotations

import gc
import os
from typing import Any

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from channels.sessions import CookieMiddleware
from django.conf import settings
from structlog.contextvars import bind_contextvars

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "progress_site.settings")
django.setup(set_prefix=False)

from jobs.ingest import LeanPath, Reply  # noqa: E402
from jobs.live.socket import ticket_of  # noqa: E402
from jobs.routing import websocket_urlpatterns  # noqa: E402  (models can be imported once Django is set up)
from jobs.watchdog import process_heartbeats  # noqa: E402
from progress_site import proxies  # noqa: E402
from progress_site.asgi_middleware import BodyLimit, HeaderLimit, Receive, RootPath, Scope, Send  # noqa: E402
from progress_site.forwarded_headers import Forwarded, RequestId  # noqa: E402
from progress_site.metrics import LiveConnections, ServedByDjango, Timed  # noqa: E402
from progress_site.rest import exceptions  # noqa: E402
from progress_site.threaded_handler import ThreadedHandler  # noqa: E402

GARBAGE = 10_000  # new objects before a collection


class KnownPages(OriginValidator):
    """Middleware that refuses the handshake of a page of another site."""

    def valid_origin(self, parsed_origin: Any) -> bool:
        """Is this one of our hosts, or a client that is not a browser?"""
        if parsed_origin is None or self.validate_origin(parsed_origin):
            return True
        proxies.refused_socket(parsed_origin.geturl())
        return False


class Websockets:
    """Live channel for our own pages, and for trusted ones with a ticket."""

    def __init__(self) -> None:
        served = CookieMiddleware(URLRouter(websocket_urlpatterns))
        trusted = [origin.replace("://*.", "://.") for origin in settings.CSRF_TRUSTED_ORIGINS]
        self.own = KnownPages(served, settings.ALLOWED_HOSTS)
        self.invited = KnownPages(served, [*settings.ALLOWED_HOSTS, *trusted])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the socket, or refuse its handshake. The lines of the log that it causes have its client and its id."""
        client, headers = scope.get("client") or [None], dict(scope["headers"])
        bind_contextvars(ip=client[0], request_id=headers.get(b"x-request-id", b"").decode("latin-1"))
        pages = self.own if ticket_of(scope) is None else self.invited
        await pages(scope, receive, send)


def unavailable(error: Exception) -> Reply:
    """Answer a call of a worker for which the database failed, as its view does."""
    response = exceptions.handle(error, {})
    assert response is not None
    headers = [(name.encode(), value.encode()) for name, value in response.items() if name != "Content-Length"]
    return Reply(response.content, status=response.status_code, headers=headers)


def spare_collections() -> None:
    """Let garbage collections leave out the objects of the start, and come when there is more to collect.

    The objects of the start live as long as the process, and each full collection would visit them all. A report of 500
    results makes some thousand objects that form no cycle: the default of 700 means several useless collections a call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


proxies.log_start()
proxies.log_database()
websockets = Websockets()
handler = ThreadedHandler()
lean_path = LeanPath(ServedByDjango(BodyLimit(handler)), headers=handler.common_headers, unavailable=unavailable)
served = ProtocolTypeRouter({"http": Timed(LiveConnections(lean_path)), "websocket": LiveConnections(websockets)})
application = RequestId(Forwarded(RootPath(HeaderLimit(served))))
process_heartbeats.serving_starts()
spare_collections()
