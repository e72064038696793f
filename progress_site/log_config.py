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


class WithoutTickets(Filter):
    """Filter that removes tickets from the addresses that uvicorn logs for each websocket."""

    def filter(self, record: LogRecord) -> bool:
        """Replace tickets and keep the line."""
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
        "filters": {"tickets": {"()": WithoutTickets}},
        "formatters": {"lines": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "daphne": {"level": "WARNING"},
            "uvicorn.error": {"filters": ["tickets"]},
            "axes": {"level": "WARNING"},
            # It logs a traceback every second while Redis is down; jobs.live.broadcast logs the failure once.
            "channels_redis": {"level": "CRITICAL"},
            # They log a line per request, and a dozen per failed connection; their callers log the result.
            "httpx": {"level": "WARNING"},
            "pika": {"level": "CRITICAL"},
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
