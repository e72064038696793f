"""Diagnosis of requests through a proxy: the setting that makes a refused request work, for pages and the log."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import lru_cache
from threading import Thread
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import connection
from django.http import HttpRequest
from django.middleware.csrf import REASON_NO_CSRF_COOKIE

from jobs.db.reachability import missing_migrations, sentence, why_unreachable
from progress_site.forwarded_headers import address_of, is_trusted

log = structlog.get_logger(__name__)

MINUTE = 60
SHOWN = 200
CHECK_SECONDS = 15.0
ORIGIN_REASONS = ("Origin checking failed", "Referer checking failed")


def https_reason() -> str:
    """Return the reason why HTTPS is on; empty if it is off."""
    if not settings.HTTPS:
        return ""
    if settings.HTTPS_IS_GIVEN:
        return "The setting HTTPS is on."
    return f"ALLOWED_HOSTS names {', '.join(settings.PUBLIC_HOSTS)}, which is not this machine. HTTPS=off turns it off."


def log_start() -> None:
    """Log once, when the process starts, how the site is reached, and which settings say so."""
    if settings.HTTPS:
        log.info(
            "https_is_on",
            why=https_reason(),
            effect="Cookies are for HTTPS only. The proxy must send X-Forwarded-Proto: https.",
        )
    log.info(
        "reached_at",
        hosts=", ".join(settings.ALLOWED_HOSTS),
        path=f"{settings.PATH_PREFIX}/ ({'PATH_PREFIX' if settings.PATH_PREFIX else 'no PATH_PREFIX'})",
        cookies=f"{settings.SESSION_COOKIE_NAME}, {settings.CSRF_COOKIE_NAME} ({_cookie_reason()})",
        trusted_proxies=", ".join(map(str, settings.TRUSTED_PROXIES)) or "none",
        hsts=_hsts(),
    )


def log_database() -> None:
    """Log once, when the process starts, that the database cannot be reached or lacks migrations. It does not wait."""
    checking = Thread(target=_check_database, name="start", daemon=True)
    checking.start()
    if hasattr(os, "register_at_fork"):
        # A child of `gunicorn --preload` would inherit half an import of the migrations, and never be ready.
        os.register_at_fork(before=lambda: checking.join(CHECK_SECONDS))


def _check_database() -> None:
    try:
        why = why_unreachable() or missing_migrations()
    except Exception as error:
        why = sentence(error)
    finally:
        connection.close()
    if why:
        log.error("database_unavailable", why=why)


def _cookie_reason() -> str:
    guard = f"{settings.COOKIE_GUARD} by HTTPS" if settings.COOKIE_GUARD else "no HTTPS"
    return f"{guard}, {f'COOKIE_PREFIX {settings.COOKIE_PREFIX}' if settings.COOKIE_PREFIX else 'no COOKIE_PREFIX'}"


def _hsts() -> str:
    """Return the HSTS header in words, with the settings that make it."""
    if not settings.SECURE_HSTS_SECONDS:
        return "off (HSTS_SECONDS is 0)" if settings.HTTPS else "off (HTTPS is off)"
    options = {"HSTS_INCLUDE_SUBDOMAINS": settings.HSTS_INCLUDE_SUBDOMAINS, "HSTS_PRELOAD": settings.HSTS_PRELOAD}
    words = [f"{name} {'on' if is_on else 'off'}" for name, is_on in options.items()]
    return f"HSTS_SECONDS {settings.SECURE_HSTS_SECONDS}, {', '.join(words)}"


def refused_host(request: HttpRequest) -> str:
    """Return the refused Host, and log it at most once a minute."""
    host = request.META.get("HTTP_HOST", "")[:SHOWN] or "(no Host header)"
    _log_host(host, int(time.monotonic() / MINUTE))
    return host


def form_remedy(request: HttpRequest, reason: str) -> str:
    """Return how to configure the site so that this form is accepted; empty if the form itself has expired.

    The Origin and the remedy are logged.
    """
    origin = request.headers.get("Origin") or _origin_of(request.headers.get("Referer", ""))
    remedy = _remedy(request, origin[:SHOWN], reason)
    if remedy:
        log.warning("form_refused", origin=origin[:SHOWN], served=_served(request), reason=reason, remedy=remedy)
    return remedy


def _remedy(request: HttpRequest, origin: str, reason: str) -> str:
    served, secure = _served(request), request.is_secure()
    if reason == REASON_NO_CSRF_COOKIE and settings.HTTPS and not secure:
        return (
            f"HTTPS is on, so cookies are sent over HTTPS only, but this request used plain HTTP. "
            f"{https_reason()} Open the site by https, let the proxy send X-Forwarded-Proto: https{_trust(request)}, "
            "or set HTTPS=off."
        )
    if not reason.startswith(ORIGIN_REASONS):
        return ""
    if not origin or origin == "null":
        return (
            "The browser sent no origin. Open the form by a link of this site, "
            "and configure browser and proxy to keep the headers Origin and Referer."
        )
    if origin.startswith(f"https://{request.get_host()}") and not secure:
        setting = "" if settings.HTTPS else " and set HTTPS=on"
        return (
            f"The page was opened as {origin}, but the proxy reports plain HTTP ({served}). "
            f"Let the proxy send X-Forwarded-Proto: https{_trust(request)}{setting}, "
            f"or add {origin} to CSRF_TRUSTED_ORIGINS."
        )
    return (
        f"The page was opened as {origin}, but the proxy requested {served}. Let the proxy pass the Host on "
        f"(nginx: proxy_set_header Host $http_host), and add that host to ALLOWED_HOSTS; "
        f"or add {origin} to CSRF_TRUSTED_ORIGINS."
    )


def _trust(request: HttpRequest) -> str:
    """Return what to do where the request does not come from a trusted proxy, so that its headers were ignored."""
    peer = address_of(request.META.get("REMOTE_ADDR", ""))
    return "" if is_trusted(peer) else f", add the proxy ({peer}) to TRUSTED_PROXIES"


def _origin_of(referer: str) -> str:
    with suppress(ValueError):
        parts = urlsplit(referer)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return ""


def _served(request: HttpRequest) -> str:
    try:
        return f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return f"{request.scheme}://{request.META.get('HTTP_HOST', '')[:SHOWN]}"


@lru_cache(maxsize=256)
def _log_host(host: str, minute: int) -> None:
    """Log a refused host once a minute: scanners try many, and a proxy with a wrong name repeats it all the time."""
    log.warning("host_refused", host=host, remedy=f"Add it to ALLOWED_HOSTS ({', '.join(settings.ALLOWED_HOSTS)}).")


@lru_cache(maxsize=256)
def _log_origin(origin: str, minute: int) -> None:
    log.warning("socket_refused", origin=origin, remedy="Add its host to ALLOWED_HOSTS.")


def refused_socket(origin: str) -> None:
    """Log, at most once a minute, that a websocket of a page of this origin was refused."""
    _log_origin(origin[:SHOWN], int(time.monotonic() / MINUTE))
