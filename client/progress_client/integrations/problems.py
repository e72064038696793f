"""Problems of reporting: the watched work continues, and the log names each kind of problem once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any, TypeVar

from progress_client.client import Client

log = logging.getLogger("progress_client.integrations")

Function = TypeVar("Function", bound=Callable[..., Any])
_logged: set[str] = set()


@contextmanager
def logged(what: str) -> Iterator[None]:
    """Log an exception of the block instead of raising it: reporting must not end the work that it watches."""
    try:
        yield
    except Exception as error:
        log_once(f"{what}: {error}", error)


def harmless(function: Function) -> Function:
    """Make a hook that logs its exceptions and returns None instead of raising them."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        with logged(f"{function.__name__} was not reported"):
            return function(*arguments, **options)

    return call  # type: ignore[return-value]


def log_once(sentence: str, error: BaseException | None = None) -> None:
    """Write a warning unless it was written before in this process."""
    if sentence not in _logged and len(_logged) < 1000:
        _logged.add(sentence)
        log.warning("%s", sentence, exc_info=error if log.isEnabledFor(logging.DEBUG) else None)


@lru_cache(maxsize=1)
def shared_client() -> Client:
    """Return the client of this process with the settings of its environment: PROGRESS_URL and PROGRESS_TOKEN."""
    return Client()
