"""The site as an ASGI application: HTTP by Django, websockets by Channels.

A websocket is taken only from a page of a host that is served (the Origin header), with the session of that page.
"""

from __future__ import annotations

import os
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "progress_site.settings")
http: Any = get_asgi_application()

from jobs.routing import websocket_urlpatterns  # noqa: E402  (models can be imported once Django is set up)
from progress_site.edge import AtRoot, BodyLimit  # noqa: E402

websockets = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
application = AtRoot(ProtocolTypeRouter({"http": BodyLimit(http), "websocket": websockets}))
