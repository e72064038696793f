"""The admin site with our sign-in and sign-out."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache

from jobs.console.site import OperatorSite
from progress_site.sign_in.adapters import COMPANY_SESSION
from progress_site.sign_in.audit import origin, record
from progress_site.sign_in.views import SignInView


class SignInSite(OperatorSite):
    """The site of operators. Its sign-in page offers the form of local accounts and the company's provider."""

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the sign-in page, or check its form."""
        index = reverse("admin:index")
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(index)
        after = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or index
        context = {
            **self.each_context(request),
            "title": "Sign in",
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            REDIRECT_FIELD_NAME: after,
            "local_sign_in": settings.LOCAL_SIGN_IN,
            "company": settings.OIDC,
            "company_url": f"{reverse('company-sign-in')}?{urlencode({REDIRECT_FIELD_NAME: after})}",
            **(extra_context or {}),
        }
        view = SignInView.as_view(
            extra_context=context, authentication_form=AdminAuthenticationForm, template_name="admin/login.html"
        )
        response: HttpResponse = view(request)  # type: ignore[assignment]
        return response

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """End the session, then lead to the end of the provider's session where it announces one."""
        context = dict(extra_context or {})
        if request.method == "POST" and request.user.is_authenticated:
            record(request.user, f"sign-out: Signed out {origin(request)}.")
            context |= {"provider_sign_out": _provider_sign_out(request), "company": settings.OIDC}
        return super().logout(request, context)


def _provider_sign_out(request: HttpRequest) -> str:
    """Return the address that ends the session at the provider; empty where it announces none."""
    company = request.session.get(COMPANY_SESSION) or {}
    url = str(company.get("url", ""))
    if settings.OIDC is None or not url.startswith(("https://", "http://")):
        return ""
    query = {
        "id_token_hint": company["id_token"],
        "client_id": settings.OIDC.client_id,
        "post_logout_redirect_uri": request.build_absolute_uri(reverse("admin:login")),
    }
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
