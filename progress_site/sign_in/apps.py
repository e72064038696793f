"""App configurations of sign-in and of its admin site."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class SignInConfig(AppConfig):
    """Sign-in: an app without models."""

    name = "progress_site.sign_in"
    label = "sign_in"


class SignInAdminConfig(AdminConfig):
    """The Django admin with the operator console and our sign-in as its site."""

    default = False
    default_site = "progress_site.sign_in.site.SignInSite"
