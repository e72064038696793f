"""Configuration of the log: one line for each event, as JSON, or readable on a console."""

from __future__ import annotations

import re
from logging import DEBUG, INFO, Filter, LogRecord
from typing import Any

import structlog

__all__ = ["DEBUG", "INFO", "configure", "logging"]

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
]

TICKET = re.compile(r"(?<=[?&]ticket=)[^&\s\"]+")


SOCKET_LINES = ('%s - "WebSocket', "connection open", "connection closed", "connection rejected")


class WithoutSockets(Filter):
    """Filter for uvicorn's lines of websockets: they name the proxy as the client, and contain tickets.

    Below the level INFO they are kept, without the tickets. The site itself logs each socket that it refuses.
    """

    def __init__(self, *, kept: bool) -> None:
        super().__init__()
        self.kept = kept

    def filter(self, record: LogRecord) -> bool:
        """Replace tickets, and tell whether the line is kept."""
        if not self.kept and str(record.msg).startswith(SOCKET_LINES):
            return False
        if isinstance(record.args, tuple):
            record.args = tuple(TICKET.sub("…", arg) if isinstance(arg, str) else arg for arg in record.args)
        return True


def logging(*, level: str, console: bool) -> dict[str, Any]:
    """Return Django's LOGGING: everything to stderr through one formatter."""
    renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    exceptions = [] if console else [structlog.processors.format_exc_info]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *exceptions, renderer],
        "foreign_pre_chain": SHARED,
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"sockets": {"()": WithoutSockets, "kept": level == "DEBUG"}},
        "formatters": {"lines": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "daphne": {"level": "WARNING"},
            # uvicorn has handlers of its own, and a line for each request with the proxy as its client. The lines of
            # django_structlog have the client's address, the account and the request id.
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {"filters": ["sockets"]},
            "uvicorn.access": {"handlers": [], "propagate": True, "level": "WARNING"},
            "axes": {"level": "WARNING"},
            # It logs a traceback every second while Redis is down; jobs.live.broadcast logs the failure once.
            "channels_redis": {"level": "CRITICAL"},
            # They log a line per request, and a dozen per failed connection; their callers log the result.
            "httpx": {"level": "WARNING"},
            "pika": {"level": "CRITICAL"},
            "psycopg.pool": {"level": "CRITICAL"},
            # It logs the paths of requests, which are secrets in the addresses of many channels.
            "urllib3": {"level": "CRITICAL"},
        },
    }


def configure() -> None:
    """Route structlog's loggers through the standard library's."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
