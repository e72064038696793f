"""HTTP handler that runs each request in one thread from beginning to end.

Django's own ASGI handler starts a thread and a database connection for every request, and changes between that
thread and the event loop for every middleware. An empty view reached 195 requests a second with it. Everything here
is synchronous, so a request changes once, into one of a few threads that keep their connection.

Probes have threads of their own, so that they are answered while every other thread is busy. A probe that waits too
long is answered with 503.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from io import BytesIO
from typing import IO, Any, cast

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, set_script_prefix, set_urlconf
from django.views.decorators.csrf import csrf_exempt

from progress_site import health
from progress_site.asgi_middleware import Receive, Scope, Send, below_prefix

THREADS = 16
# /healthz never waits; the other probes query the database and may wait.
LIVENESS = frozenset({"/healthz"})
PROBES = frozenset({"/readyz", "/metrics"})
PROBE_THREADS = 2
PROBE_SECONDS = 5.0


@csrf_exempt
def _empty(request: HttpRequest) -> HttpResponse:
    """Answer nothing, with the one header that the views of workers' calls add."""
    return HttpResponse(headers={"Allow": "POST, OPTIONS"})


ANY_CALL = "/api/v1/claim"
EMPTY_ANSWERS = (path(ANY_CALL.removeprefix("/"), _empty),)


class ThreadedHandler(ASGIHandler):
    """Django's handler with its middlewares and views in a thread of a pool."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self.liveness = ThreadPoolExecutor(1, thread_name_prefix="liveness")
        self.probes = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix="probe")

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the middlewares as synchronous calls."""
        super().load_middleware(is_async=False)

    def common_headers(self, secure: bool) -> list[tuple[bytes, bytes]]:
        """Return the headers that the middlewares give to every answer of the API over HTTP or HTTPS."""
        host = next((name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"), "localhost")
        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "https" if secure else "http",
            "path": ANY_CALL,
            "query_string": b"",
            "headers": [(b"host", host.encode())],
        }
        request = ASGIRequest(scope, BytesIO())
        request.urlconf = EMPTY_ANSWERS  # type: ignore[assignment]  # patterns instead of the name of a module
        response = self.get_response(request)
        set_urlconf(None)  # of this thread; the request has set its own
        own = ("Content-Length", "Content-Type")
        return [(name.encode(), value.encode()) for name, value in response.items() if name not in own]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, run the view in a thread, send the response."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        if scope["path"] in PROBES:
            response = await self._probed(scope, body)
        else:
            response = await self._in_thread(self.liveness if scope["path"] in LIVENESS else self.pool, scope, body)
        if isinstance(response, StreamingHttpResponse):
            await self._stream(response, receive, send)
            await asyncio.get_running_loop().run_in_executor(self.pool, response.close)
        else:
            await self.send_response(response, send)

    async def _in_thread(self, pool: ThreadPoolExecutor, scope: Scope, body: Any) -> HttpResponseBase:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, copy_context().run, self._answer, scope, body)

    async def _probed(self, scope: Scope, body: Any) -> HttpResponseBase:
        """Return the response of a probe, or 503 if its thread is too slow; the thread continues."""
        try:
            return await asyncio.wait_for(self._in_thread(self.probes, scope, body), PROBE_SECONDS)
        except TimeoutError:
            return health.unanswered()

    def _answer(self, scope: Scope, body: Any) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(below_prefix(scope), body)
        response: Any = refusal if request is None else self.get_response(request)
        response._handler_class = type(self)
        if isinstance(response, StreamingHttpResponse) and response.is_async:
            return response
        return _whole(response, body)

    async def _stream(self, response: StreamingHttpResponse, receive: Receive, send: Send) -> None:
        tasks = [
            asyncio.ensure_future(self.send_response(response, send)),
            asyncio.ensure_future(self.listen_for_disconnect(receive)),
        ]
        _, unfinished = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _whole(response: HttpResponseBase, body: IO[bytes]) -> HttpResponseBase:
    if isinstance(response, StreamingHttpResponse):
        content = b"".join(cast("Iterator[bytes]", response.streaming_content))
        whole: HttpResponseBase = HttpResponse(content, status=response.status_code, headers=dict(response.items()))
        whole.cookies = response.cookies
    else:
        whole = response
    response.close()
    body.close()
    return whole
