"""Channel layer that is configured and not reachable."""

from __future__ import annotations

from typing import Any


class DeadLayer:
    """Every call fails, as with a broker that is down."""

    def __getattr__(self, name: str) -> Any:
        async def refuse(*args: Any) -> None:
            raise ConnectionError("connection refused")

        return refuse
