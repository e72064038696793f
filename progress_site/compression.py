"""Compressed answers: pages, REST and static text by gzip; nothing that is streamed, tiny or compressed already.

An attacker who can put guesses into a page learns a secret from the length of its compressed form (BREACH). The CSRF
token is masked again in each answer, Django adds a random number of bytes, and a page of another site cannot send the
session with its requests (SameSite=Lax).
"""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.middleware.gzip import GZipMiddleware

TEXT = re.compile(
    r"text/(?!event-stream)|image/svg|application/([\w.-]+\+)?(json|javascript|xml|yaml|x-ndjson)"
    r"|application/vnd\.oai\.openapi"
)


class CompressionMiddleware(GZipMiddleware):
    """gzip of text that is whole. A server-sent event must leave at once, and a range counts uncompressed bytes.

    Only GET: the calls of workers are short, and have the same headers whether a view or the lean path answers them.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Compress the body if the client accepts it."""
        is_streamed = isinstance(response, StreamingHttpResponse) and response.is_async
        is_whole = request.method == "GET" and response.status_code not in (206, 304)
        if is_streamed or not is_whole or not TEXT.match(response.headers.get("Content-Type", "")):
            return response
        return super().process_response(request, response)
