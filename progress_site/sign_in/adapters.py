"""Hooks of django-allauth: rules of local accounts and of accounts of the provider."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import structlog
from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from progress_site.client_ip import client_network
from progress_site.sign_in import factors
from progress_site.sign_in.audit import origin, record, record_unknown
from progress_site.sign_in.claims import grant_of
from progress_site.sign_in.configuration import COMPANY_BACKEND
from progress_site.sign_in.current import current_company
from progress_site.sign_in.grants import apply_grant, has_role
from progress_site.sign_in.refusals import refusal

logger = structlog.get_logger("sign_in")

COMPANY_SESSION = "company"
METHODS = {"password": "with a password", "mfa": "with a second factor"}
CHANGES = {
    "mfa/email/totp_activated": "second factor: Authenticator app added",
    "mfa/email/totp_deactivated": "second factor: Authenticator app removed",
    "mfa/email/webauthn_added": "second factor: Security key added",
    "mfa/email/webauthn_removed": "second factor: Security key removed",
    "mfa/email/recovery_codes_generated": "second factor: New recovery codes made",
}
ADDITIONS = ("mfa/email/totp_activated", "mfa/email/webauthn_added")


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in without sign-up and without mail; each step of an account is recorded."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Refuse strangers. Accounts are made by administrators or come from the provider."""
        return False

    def get_login_stages(self) -> list[str]:
        """Return the only stage: the second factor. Nothing asks for a confirmed e-mail address."""
        return ["progress_site.sign_in.stages.FactorStage"]

    def pre_login(self, request: HttpRequest, user: User, **given: Any) -> HttpResponse | None:
        """Keep the address at which the session of the provider ends."""
        login = (given.get("signal_kwargs") or {}).get("sociallogin")
        if login is not None:
            request.session[COMPANY_SESSION] = login.sign_out
        response: HttpResponse | None = super().pre_login(request, user, **given)
        return response

    def login(self, request: HttpRequest, user: User) -> None:
        """Begin the session, by the backend of its way, and record it."""
        methods = [entry["method"] for entry in get_authentication_records(request, user)]
        by_company = "socialaccount" in methods
        user.backend = COMPANY_BACKEND if by_company else settings.AUTHENTICATION_BACKENDS[-1]
        super().login(request, user)
        first = f"through {current_company().name}" if by_company else "with a password"
        # A session of the provider has an absolute end, so that its groups are read at least so often.
        end = timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE) if by_company else None
        request.session.set_expiry(end)
        second = " and a second factor" if "mfa" in methods else ""
        record(user, f"sign-in: Signed in {first}{second} {origin(request)}.")
        factors.is_missing(request)

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """Answer 403: the account is switched off."""
        return refusal(request, "This account is switched off. Ask an administrator.")

    def is_safe_url(self, url: str) -> bool:
        """Allow addresses of this host only, as every other page does."""
        hosts = {self.request.get_host()}
        return url_has_allowed_host_and_scheme(url, allowed_hosts=hosts, require_https=self.request.is_secure())

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that wrong passwords are counted for."""
        return client_network(request) or ""

    def is_reauthentication_required(self, *, app: str, **more: Any) -> bool:
        """Ask again unless the account signed in or confirmed itself within the last minutes."""
        records = get_authentication_records(self.request, self.request.user)
        return not records or time.time() - records[-1]["at"] > app_settings.REAUTHENTICATION_TIMEOUT

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Return the ways to confirm oneself; an account without password and factor signs in at the provider again."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not methods and settings.OIDC is not None and user.is_authenticated:
            methods.append({"id": "company", "description": settings.OIDC.name, "url": reverse("company-sign-in")})
        return methods

    def add_message(
        self, request: HttpRequest, level: int, message_template: str = "", *more: Any, **given: Any
    ) -> None:
        """Show no message about signing in and out: the page itself says it."""
        if not message_template.startswith("account/"):
            super().add_message(request, level, message_template, *more, **given)

    def send_notification_mail(self, template_prefix: str, user: User, *more: Any, **given: Any) -> None:
        """Record a change of factors. allauth would send a mail here."""
        if template_prefix in CHANGES:
            record(user, f"{CHANGES[template_prefix]} {origin(self.request)}.")
        if template_prefix in ADDITIONS:
            self.request.session[factors.ADDED] = True


class CompanyAdapter(DefaultSocialAccountAdapter):
    """Accounts of the provider: made at the first sign-in, with roles from the claims at each."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Make or find the account and set its roles. Raise the page of a refusal."""
        with transaction.atomic():
            if not sociallogin.is_existing:
                self._make_account(request, sociallogin)
            account = sociallogin.user
            reason = self._checked(account) or self._granted(account, sociallogin)
            if reason:
                record(account, f"sign-in refused: {reason} {current_company().name}, {origin(request)}.")
        if reason:
            raise ImmediateHttpResponse(refusal(request, reason))

    def _make_account(self, request: HttpRequest, login: SocialLogin) -> None:
        """Make an account with a name of its own: equal names or addresses never join two accounts."""
        account = login.user
        verified = [each.email for each in login.email_addresses if each.verified]
        account.email = verified[0] if verified else ""
        account.username = AccountAdapter(request).generate_unique_username([account.username, account.email, "user"])
        account.is_staff = True
        account.set_unusable_password()
        account.save()
        login.account.user = account
        login.account.save()
        record(account, f"sign-in: Account made at the first sign-in through {current_company().name}.")

    def _checked(self, account: User) -> str:
        if not account.is_active:
            return "This account is switched off. Ask an administrator."
        if account.is_superuser:
            return "A superuser signs in with a password, never through the provider."
        return ""

    def _granted(self, account: User, login: SocialLogin) -> str:
        company = current_company()
        apply_grant(account, grant_of(login.claims, company), source=company.name)
        if company.refuse_without_role and not has_role(account):
            return "Your account has no role on this site. Ask an administrator for a group that has one."
        return ""

    def on_authentication_error(self, request: HttpRequest, provider: Any, error: Any = None, **more: Any) -> None:
        """Raise the page of a sign-in that the provider or its user ended."""
        logger.warning("sign_in_failed", provider=str(provider), error=str(error), cause=repr(more.get("exception")))
        if error == AuthError.CANCELLED:
            sentence = "The sign-in was cancelled, or you may not use this site. Nothing was changed."
        else:
            sentence = "The sign-in did not succeed. Begin again; the log of the site has the cause."
        record_unknown(request, f"Ended at {current_company().name}")
        raise ImmediateHttpResponse(refusal(request, sentence))
