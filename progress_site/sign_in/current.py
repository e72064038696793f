"""The provider of the present settings."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404

from progress_site.sign_in.configuration import Company


def current_company() -> Company:
    """Return the provider; Http404 without one."""
    company: Company | None = settings.OIDC
    if company is None:
        raise Http404("No OpenID provider is configured.")
    return company
