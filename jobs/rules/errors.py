"""What the verbs refuse, in words a person can act on. Pure: no Django, no database.

A door turns each class into its own answer: REST into problem+json with `status` and `code`,
the admin into a message, a command into an exit code.
"""

from __future__ import annotations


class Refused(Exception):
    """A verb refused; nothing was changed. `detail` is a whole sentence."""

    status = 400
    code = "refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BadInput(Refused):
    """A value breaks a rule; `errors` names each field with what is wrong (REST 400)."""

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
    """No such thing within the account's sight (REST 404)."""

    status = 404
    code = "not_found"


class Conflict(Refused):
    """The request contradicts what is stored (REST 409); `code` says which rule."""

    status = 409
    code = "conflict"

    def __init__(self, detail: str, *, code: str = "conflict") -> None:
        super().__init__(detail)
        self.code = code


class WrongState(Conflict):
    """The act is not possible in this state; the sentence names both states (REST 409)."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="wrong_state")
