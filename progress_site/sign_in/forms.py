"""Forms of the second factor, in which each code is accepted once."""

from __future__ import annotations

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms
from allauth.mfa.models import Authenticator

from progress_site.sign_in.factors import use_code


class OnceMixin:
    """A form that refuses a used code of an authenticator app. Recovery codes are kept in the database by allauth."""

    def clean_code(self) -> str:
        """Check the code, and mark it as used."""
        code: str = super().clean_code()  # type: ignore[misc]
        app: Authenticator = self.authenticator  # type: ignore[attr-defined]
        if app.type == Authenticator.Type.TOTP and not use_code(app, code):
            raise get_adapter().validation_error("incorrect_code")
        return code


class CodeForm(OnceMixin, forms.AuthenticateForm):
    """The code after the password."""


class ConfirmCodeForm(OnceMixin, forms.ReauthenticateForm):
    """The code that confirms an account which is signed in."""
