"""Exceptions of this package."""

from __future__ import annotations

from typing import Any


class ProgressError(Exception):
    """The base of all errors of this package."""


class Unavailable(ProgressError):
    """The site did not answer within `retry_for` seconds. Every call may be repeated; nothing is counted twice."""


class CertificateError(ProgressError):
    """The server's certificate is not trusted; the message says what to do. Outcomes stay in the journal."""


class LeaseLost(ProgressError):
    """The lease of the item has ended: it expired, or an operator released the item."""


class Refused(ProgressError):
    """The site rejected the request. The message is the site's `detail`.

    `status` is the HTTP status and `code` the problem code. `errors` lists (field, detail) pairs.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.detail = str(problem.get("detail") or f"The server answered HTTP {status}.")
        self.code = str(problem.get("code") or "")
        self.errors = [(str(row.get("field")), str(row.get("detail"))) for row in problem.get("errors") or ()]
        self._problem = problem
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all attributes: a process pool hangs if it cannot unpickle the error of a child."""
        return type(self), (self.status, self._problem)


class NotPermitted(Refused):
    """The token is not valid (401), or its account lacks the permission that the message names (403)."""


class NotFound(Refused):
    """The token can see no such job, phase or item (404)."""


class WrongState(Refused):
    """The current status does not allow the request; the message names both states (409)."""


class Skip(Exception):
    """Raised inside `with item:` to skip the item, with a reason."""


class Fail(Exception):
    """Raised inside `with item:` to fail the item with exactly this error text.

    With `retry=False` the failure is final, although the phase has automatic retries. `retry_after` are the seconds
    until the next one.
    """

    def __init__(self, *error: object, retry: bool | None = None, retry_after: int | None = None) -> None:
        super().__init__(*error)
        self.retry, self.retry_after = retry, retry_after


KINDS = {401: NotPermitted, 403: NotPermitted, 404: NotFound, 409: WrongState}


def refusal(status: int, problem: Any) -> Refused:
    """Create the exception for a rejection of this status."""
    return KINDS.get(status, Refused)(status, problem if isinstance(problem, dict) else {})
