"""Pages of sign-in: password, provider, second factor, and the factors of an account."""

from __future__ import annotations

from typing import Any

import structlog
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import ReauthenticateView
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import get_adapter as get_factor_adapter
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateFactorView
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView, ReauthenticateWebAuthnView, RemoveWebAuthnView
from allauth.socialaccount.adapter import get_adapter as get_company_adapter
from allauth.socialaccount.internal.statekit import STATE_TTL
from allauth.socialaccount.providers.base import ProviderException
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from axes.handlers.proxy import AxesProxyHandler
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from requests import RequestException

from progress_site.error_views import locked_out
from progress_site.sign_in.audit import origin, record, record_unknown
from progress_site.sign_in.current import current_company
from progress_site.sign_in.factors import WRONG_FACTOR, has_factor, has_too_many_failures, is_proven, needs_factor
from progress_site.sign_in.provider import CompanyLogin
from progress_site.sign_in.refusals import refusal

logger = structlog.get_logger("sign_in")


class SignInView(LoginView):
    """The form of local accounts; the second factor follows where the account has one."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the password, and record a wrong one."""
        name = request.POST.get("username", "").replace("\0", "")
        was_locked = _is_locked(request, name)
        response: HttpResponse = super().post(request, *args, **kwargs)
        if response.status_code == 200 and not was_locked:
            account = User.objects.filter(username=name).first()
            if account is not None:
                record_failure(request, account, "Wrong password or not permitted")
            else:
                record_unknown(request, "No account has this name", name=name)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        """Go on to the second factor, or begin the session."""
        user = form.get_user()
        login = Login(user=user, redirect_url=self.get_success_url())
        return perform_password_login(self.request, {"username": user.get_username()}, login)


def record_failure(request: HttpRequest, account: User, what: str) -> None:
    """Record a refused sign-in, and the lock that follows it."""
    lock = " Sign-in from this address is now blocked." if getattr(request, "axes_locked_out", False) else ""
    record(account, f"sign-in refused: {what}, {origin(request)}.{lock}")


def _is_locked(request: HttpRequest, name: str) -> bool:
    return not AxesProxyHandler.is_allowed(request, {"username": name})


# --- the provider ---------------------------------------------------------------------------------------


@never_cache
def company_sign_in(request: HttpRequest) -> HttpResponse:
    """Lead to the provider. Someone who is signed in already shall prove their identity there again."""
    company = current_company()
    if not ratelimit.consume(request, app="allauth.account", action="company", limit_get=True):
        return refusal(request, "Too many sign-ins began at your address. Wait a few minutes.", status=429)
    if request.user.is_anonymous:  # a session only for the way to the provider and back
        request.session.set_expiry(STATE_TTL)
    provider = get_company_adapter().get_provider(request, company.issuer)
    again = {"prompt": "login"} if request.user.is_authenticated else {}
    try:
        response: HttpResponse = provider.redirect(
            request, process="login", next_url=get_next_redirect_url(request), auth_params=again
        )
    except (RequestException, ProviderException, KeyError, ValueError) as error:
        logger.warning("sign_in_failed", provider=company.name, cause=repr(error))
        return refusal(request, f"{company.name} does not answer. Try again in a few minutes.", status=503)
    return response


@never_cache
def company_callback(request: HttpRequest) -> HttpResponse:
    """Complete the sign-in with the answer of the provider."""
    company = current_company()
    try:
        response: HttpResponse = OAuth2CallbackView.adapter_view(CompanyLogin(request))(request)
    except (RequestException, ProviderException, KeyError, ValueError) as error:
        logger.warning("sign_in_failed", provider=company.name, cause=repr(error))
        return refusal(request, f"{company.name} sent an answer that cannot be used. Begin again.", status=503)
    return response


# --- second factors -------------------------------------------------------------------------------------


class Page:
    """A page of allauth in the layout of the console."""

    title = ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the context of the layout. Without staff rights there is no navigation."""
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        return {**admin.site.each_context(self.request), "title": self.title, **context}  # type: ignore[attr-defined]


class Counted:
    """A form whose wrong answers lock like wrong passwords do: same counter, same limit, same page."""

    def account(self) -> User:
        """Return the account that answers."""
        user: User = self.request.user  # type: ignore[attr-defined]
        return user

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refuse while the account is locked for this address, or got too many wrong answers from all addresses."""
        account = self.account()
        if _is_locked(request, account.get_username()) or has_too_many_failures(account):
            return locked_out(request, credentials={"username": account.get_username()})
        response: HttpResponse = super().post(request, *args, **kwargs)  # type: ignore[misc]
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        """Count and record the wrong answer."""
        account, request = self.account(), self.request  # type: ignore[attr-defined]
        credentials = {"username": account.get_username()}
        user_login_failed.send(sender=__name__, credentials=credentials, request=request)
        record_failure(request, account, WRONG_FACTOR)
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        return response


class CodeView(Counted, Page, AuthenticateView):
    """The second factor after the password."""

    title = "Second factor"

    def account(self) -> User:
        """Return the account that has given its password."""
        user: User = self.stage.login.user
        return user


class FactorsView(Page, IndexView):
    """The factors of an account."""

    title = "Second factor"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add whether the role of the account needs one, and does not have it."""
        user: Any = self.request.user
        required = needs_factor(user) and not is_proven(self.request)
        return {**super().get_context_data(**kwargs), "is_required": required, "has_factor": has_factor(user)}


class ConfirmPasswordView(Page, ReauthenticateView):
    """Confirmation by password; axes counts wrong ones in `authenticate`."""

    title = "Confirm that it is you"


class ConfirmFactorView(Counted, Page, ReauthenticateFactorView):
    """Confirmation by a code."""

    title = "Confirm that it is you"


class ConfirmKeyView(Counted, Page, ReauthenticateWebAuthnView):
    """Confirmation by a security key."""

    title = "Confirm that it is you"


class AddAppView(Page, ActivateTOTPView):
    """Set-up of an authenticator app."""

    title = "Set up an authenticator app"


class RemoveAppView(Page, DeactivateTOTPView):
    """Removal of the authenticator app."""

    title = "Remove the authenticator app"


class RecoveryCodesView(Page, ViewRecoveryCodesView):
    """Recovery codes, shown once."""

    title = "Recovery codes"


class NewRecoveryCodesView(Page, GenerateRecoveryCodesView):
    """New recovery codes, which replace the old ones."""

    title = "New recovery codes"


class AddKeyView(Page, AddWebAuthnView):
    """Set-up of a security key."""

    title = "Add a security key"


class RemoveKeyView(Page, RemoveWebAuthnView):
    """Removal of a security key."""

    title = "Remove the security key"
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Any) -> HttpResponse:
        """Remove the key, unless it is the last factor of an account that needs one."""
        if not get_factor_adapter().can_delete_authenticator(self.get_object()):
            return refusal(self.request, "Your role needs a second factor. Add another one first.")
        return super().form_valid(form)
