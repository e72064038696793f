"""The stage of a sign-in that asks for the second factor."""

from __future__ import annotations

from allauth.mfa.stages import AuthenticateStage
from django.conf import settings
from django.http import HttpRequest


class FactorStage(AuthenticateStage):
    """Ask for the second factor of an account, unless the provider has checked one."""

    def _should_handle(self, request: HttpRequest) -> bool:
        by_company = "sociallogin" in (self.login.signal_kwargs or {})
        if by_company and settings.OIDC and settings.OIDC.checks_second_factor:
            return False
        return bool(super()._should_handle(request))
