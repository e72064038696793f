"""Queries beside the event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

Given = ParamSpec("Given")
Found = TypeVar("Found")


def in_thread(function: Callable[Given, Found]) -> Callable[Given, Awaitable[Found]]:
    """The function to be awaited: it runs in any free thread and holds a database connection for so long only."""

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return sync_to_async(call, thread_sensitive=False)
