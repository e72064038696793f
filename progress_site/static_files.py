"""Static files under an address that changes with their content, so that browsers keep them for ever.

The address has a digest of all files: `/static/<digest>/jobs/page.js`. Modules that import each other by relative
path, and pictures in a style sheet, stay below it: no file is rewritten, and there is no build step. A new release
makes browsers load the files once. A plain address, `/static/jobs/page.js`, works too, and is kept for a minute.

With DEBUG addresses are plain, so that a changed file is seen at once.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseFileResponse, WhiteNoiseMiddleware

DIGEST_BYTES = 6
VERSIONED = re.compile(rf"[0-9a-f]{{{2 * DIGEST_BYTES}}}/")
FOR_EVER = "max-age=31536000, public, immutable"


@cache
def version() -> str:
    """Return the digest of the names and contents of all static files."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for finder in finders.get_finders():
        for path, storage in sorted(finder.list(None), key=lambda found: found[0]):
            content = Path(storage.path(path)).read_bytes()
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


class VersionedStorage(StaticFilesStorage):
    """Addresses of static files, with the version in front of the name."""

    def url(self, name: str | None) -> str:
        """Return the address of a file for a page."""
        return super().url(name if settings.DEBUG else f"{version()}/{name}")


class StaticFiles(WhiteNoiseMiddleware):
    """Static files of all apps.

    During an update of several servers a page of one asks another for its files. An unknown version is answered with
    the files of this server, which are not kept.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if not path.startswith(self.static_prefix):
            return self.get_response(request)
        asked = VERSIONED.match(path, len(self.static_prefix))
        if asked is None:
            return super().__call__(request)
        request.path_info = self.static_prefix + path[asked.end() :]
        response = super().__call__(request)
        is_file = isinstance(response, WhiteNoiseFileResponse) and response.status_code < 400
        if is_file and asked.group() == f"{version()}/":
            response["Cache-Control"] = FOR_EVER
        return response

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:
        """Serve a file. The ETag that comes back is the weak one of its compressed form."""
        tag = request.META.get("HTTP_IF_NONE_MATCH", "")
        request.META["HTTP_IF_NONE_MATCH"] = tag.removeprefix("W/")
        return WhiteNoiseMiddleware.serve(static_file, request)
