"""What can go wrong, in words a person can act on."""

from __future__ import annotations

from typing import Any


class ProgressError(Exception):
    """The base of all errors of this package."""


class Unavailable(ProgressError):
    """No answer came within the patience of the call. Every call may be repeated; nothing is counted twice."""


class CertificateError(ProgressError):
    """The server's certificate is not trusted; the sentence says what to do. Outcomes wait in the journal."""


class LeaseLost(ProgressError):
    """The item is no longer ours: its lease ran out, or an operator took it back."""


class Refused(ProgressError):
    """The server understood and refused. The text is its sentence.

    `status` is the HTTP status, `code` the server's word for the reason, `errors` what is wrong with which field.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.detail = str(problem.get("detail") or f"The server answered HTTP {status}.")
        self.code = str(problem.get("code") or "")
        self.errors = [(str(row.get("field")), str(row.get("detail"))) for row in problem.get("errors") or ()]
        self._problem = problem
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[Any, ...]:
        """Arrive whole in another process: a pool that cannot unpickle the error of its child hangs."""
        return type(self), (self.status, self._problem)


class NotPermitted(Refused):
    """The token is not valid (401), or its account lacks the permission that the sentence names (403)."""


class NotFound(Refused):
    """There is no such job, phase or item within the token's sight (404)."""


class WrongState(Refused):
    """Not possible in this state; the sentence names both states (409)."""


class Skip(Exception):
    """Raise it inside an item: the item is skipped, for the reason that is given."""


class Fail(Exception):
    """Raise it inside an item: the item has failed with exactly this sentence."""


KINDS = {401: NotPermitted, 403: NotPermitted, 404: NotFound, 409: WrongState}


def refusal(status: int, problem: Any) -> Refused:
    """The error that an answer of this status means."""
    return KINDS.get(status, Refused)(status, problem if isinstance(problem, dict) else {})
