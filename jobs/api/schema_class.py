"""Description of one operation for drf-spectacular."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema


class OperationSchema(AutoSchema):
    """Description that keeps the body of a DELETE, such as the reason for the deletion of a job."""

    def _get_request_body(self, direction: str = "request") -> Any:
        """Describe the body of a DELETE like that of a POST; the base class leaves it out."""
        method = self.method
        self.method = "POST" if method == "DELETE" and self.get_request_serializer() else method
        try:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = method
