"""Refusals: the errors of calls and acts. Pure: no Django, no database.

Each entry point has its own answer to them: REST a problem+json with `status` and `code`, the admin a message, a
command an exit code.
"""

from __future__ import annotations


class Refused(Exception):
    """A call or an act was refused, and nothing was changed. `detail` is a whole sentence."""

    status = 400
    code = "refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BadInput(Refused):
    """A value breaks a rule; `errors` has each field with its error (REST 400)."""

    status = 400
    code = "invalid"

    def __init__(self, errors: dict[str, str], *, code: str = "invalid") -> None:
        super().__init__("; ".join(f"{field}: {detail}" for field, detail in errors.items()))
        self.errors = errors
        self.code = code


class NotPermitted(Refused):
    """The account lacks a permission, which the sentence names (REST 403)."""

    status = 403
    code = "permission_denied"


class NotFound(Refused):
    """The row does not exist, or is not visible to the account (REST 404)."""

    status = 404
    code = "not_found"


class Conflict(Refused):
    """The request contradicts the stored rows (REST 409); `code` names the rule."""

    status = 409
    code = "conflict"

    def __init__(self, detail: str, *, code: str = "conflict") -> None:
        super().__init__(detail)
        self.code = code


class WrongState(Conflict):
    """The act is not possible in this state; the sentence names the state and those that allow it (REST 409)."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="wrong_state")
