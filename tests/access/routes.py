"""Every route of the site, read from the URL configuration, from the routing of the sockets and from the probes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from jobs.console.admin.export import FORMATS
from jobs.console.channels.acts import CHANNEL_ACTS
from jobs.console.deliveries.endpoint_acts import ENDPOINT_ACTS
from jobs.operations import INCIDENT_ACTS
from jobs.operations.registry import ACTS
from jobs.routing import websocket_urlpatterns
from progress_site.health import PROBES

# Parameters whose every value is a route of its own: it may have a rule of its own.
WORDS = {
    "app_label": sorted({model._meta.app_label for model in admin.site._registry}),
    "notation": sorted(FORMATS),
}
# Objects with acts of their own; the others are acts on jobs.
OWN_ACTS: dict[str, Collection[str]] = {
    "/endpoint/": ENDPOINT_ACTS,
    "/channel/": CHANNEL_ACTS,
    "/incidents/": INCIDENT_ACTS,
}
PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True, order=True)
class Route:
    """An address with its parameters in braces, and the view that answers it."""

    path: str
    view: Any = None

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters that identify objects."""
        return PARAMETER.findall(self.path)


def http_routes() -> list[Route]:
    """Return every route of HTTP, one for each act and each file format."""
    patterns = [
        Route(spelled, view) for path, view in _walk(get_resolver().url_patterns) for spelled in spell_out(path)
    ]
    return [*patterns, *(Route(path.lstrip("/")) for path in PROBES)]


def socket_routes() -> list[str]:
    """Return every route of the websockets."""
    return [_in_braces(pattern) for pattern in websocket_urlpatterns]


def _walk(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = prefix + _in_braces(pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield path, pattern.callback


def _in_braces(pattern: URLPattern | URLResolver) -> str:
    """Return the path of a pattern with `{name}` for each parameter."""
    text = str(pattern.pattern)
    if isinstance(pattern.pattern, RegexPattern):
        text = re.sub(r"\(\?P<(\w+)>[^()]*\)", r"{\1}", text).replace("\\", "").strip("^$")
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", text)


def spell_out(path: str) -> Iterator[str]:
    """Yield the path with every value of a parameter that is one of a few words."""
    acts = next((acts for part, acts in OWN_ACTS.items() if part in path), ACTS)
    words = {**WORDS, "slug": sorted(acts)}
    name = next((name for name in PARAMETER.findall(path) if name in words), None)
    if name is None:
        yield path
        return
    for value in words[name]:
        yield from spell_out(path.replace(f"{{{name}}}", value))
