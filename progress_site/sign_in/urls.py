"""URLs of sign-in beside those of the admin. Names of allauth stay: its flows lead to them."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from progress_site.sign_in import views

urlpatterns = [
    path("sign-in/", RedirectView.as_view(pattern_name="admin:login", query_string=True), name="account_login"),
    path("company/", views.company_sign_in, name="company-sign-in"),
    path("company/callback/", views.company_callback, name="company-callback"),
    path("code/", views.CodeView.as_view(), name="mfa_authenticate"),
    path("confirm/", views.ConfirmPasswordView.as_view(), name="account_reauthenticate"),
    path("confirm/code/", views.ConfirmFactorView.as_view(), name="mfa_reauthenticate"),
    path("confirm/key/", views.ConfirmKeyView.as_view(), name="mfa_reauthenticate_webauthn"),
    path("factors/", views.FactorsView.as_view(), name="mfa_index"),
    path("factors/app/add/", views.AddAppView.as_view(), name="mfa_activate_totp"),
    path("factors/app/remove/", views.RemoveAppView.as_view(), name="mfa_deactivate_totp"),
    path("factors/recovery-codes/", views.RecoveryCodesView.as_view(), name="mfa_view_recovery_codes"),
    path("factors/recovery-codes/new/", views.NewRecoveryCodesView.as_view(), name="mfa_generate_recovery_codes"),
    path("factors/keys/add/", views.AddKeyView.as_view(), name="mfa_add_webauthn"),
    path("factors/keys/<int:pk>/remove/", views.RemoveKeyView.as_view(), name="mfa_remove_webauthn"),
]
