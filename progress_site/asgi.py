"""The site as an ASGI application: HTTP by Django, websockets by Channels.

A websocket is taken only from a page of a host that is served (the Origin header), with the session of that page.
What sends no Origin is no browser, so no page of another site can be behind it.
"""

from __future__ import annotations

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "progress_site.settings")
http: Any = get_asgi_application()

from jobs.routing import websocket_urlpatterns  # noqa: E402  (models can be imported once Django is set up)
from progress_site.edge import AtRoot, BodyLimit  # noqa: E402


class SitesOwnPages(OriginValidator):
    """Refuses the handshake of a page of another site."""

    def valid_origin(self, parsed_origin: Any) -> bool:
        """Is this one of our hosts, or no browser at all?"""
        return parsed_origin is None or bool(self.validate_origin(parsed_origin))


websockets = SitesOwnPages(CookieMiddleware(URLRouter(websocket_urlpatterns)), settings.ALLOWED_HOSTS)
application = AtRoot(ProtocolTypeRouter({"http": BodyLimit(http), "websocket": websockets}))
