"""The log and the links of an item, which are sent with its outcome, and the logging handler that feeds them."""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from progress_client.items import Item

# The site keeps the last 16 KiB. What is cut here would be cut there, too.
LONGEST_LOG = 16 * 1024
MOST_LINKS = 10
LONGEST_LABEL, LONGEST_URL = 200, 2000
WEB_ADDRESS = re.compile(r"https?://[^\s/?#@\\]+(?:[/?#][^\s\\]*)?", re.IGNORECASE)

# The item whose `with` block runs in this thread or task.
current: ContextVar[Item | None] = ContextVar("current", default=None)


class ItemLog:
    """The lines and links of one item."""

    def __init__(self) -> None:
        self._text = ""
        self._links: list[dict[str, str]] = []

    def add(self, text: str) -> None:
        """Add lines. Of a long log the end is kept."""
        line = clean(text)
        self._text = (self._text + line + ("" if line.endswith("\n") else "\n"))[-4 * LONGEST_LOG :]

    def link(self, label: str, url: str) -> None:
        """Add a link; ValueError if the site would refuse it, and with it the outcome."""
        if not WEB_ADDRESS.fullmatch(url) or len(url) > LONGEST_URL:
            raise ValueError(f"A link needs an address that begins with http:// or https://, not {url[:100]!r}.")
        if len(self._links) == MOST_LINKS:
            raise ValueError(f"An item has at most {MOST_LINKS} links.")
        self._links.append({"label": clean(label).strip()[:LONGEST_LABEL] or url[:LONGEST_LABEL], "url": clean(url)})

    def body(self) -> dict[str, Any]:
        """Return the fields of a result; none where nothing was added."""
        log = self._text.encode()
        sent = {"log": log[-LONGEST_LOG - 1 :].decode(errors="ignore"), "links": self._links}
        return {name: value for name, value in sent.items() if value}


class ItemLogHandler(logging.Handler):
    """A logging handler that adds each record to the log of the item that is processed in this thread or task.

    Outside `with item:` it does nothing. A thread that is started within the block has no item, unless it runs in a
    copy of the context (`contextvars.copy_context().run`, `asyncio.to_thread`).
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Add the formatted record."""
        item = current.get()
        if item is not None:
            try:
                item.log(self.format(record))
            except Exception:
                self.handleError(record)


def clean(text: str) -> str:
    """Escape characters that cannot be sent: NUL and half surrogate pairs."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
