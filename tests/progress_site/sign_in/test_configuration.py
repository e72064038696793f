"""Settings of sign-in: a half-set configuration stops the start, and none changes nothing."""

from __future__ import annotations

import pytest

from tests.progress_site.test_settings import start

WHOLE = {
    "OIDC_ISSUER": "https://sso.example.com/realms/main",
    "OIDC_CLIENT_ID": "progress",
    "OIDC_CLIENT_SECRET": "secret",
}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({**WHOLE, "OIDC_CLIENT_SECRET": ""}, "OIDC_CLIENT_SECRET"),
        ({"OIDC_CLIENT_ID": "progress"}, "OIDC_ISSUER, OIDC_CLIENT_SECRET"),
        ({"OIDC_ROLE_MAP": "ops=operator"}, "OIDC_ROLE_MAP"),
        ({**WHOLE, "OIDC_ISSUER": "http://sso.example.com"}, "OIDC_ISSUER"),
        ({**WHOLE, "OIDC_ISSUER": "sso.example.com"}, "OIDC_ISSUER"),
        ({**WHOLE, "OIDC_ROLE_MAP": "ops=superuser"}, "OIDC_ROLE_MAP"),
        ({**WHOLE, "OIDC_ROLE_MAP": "ops"}, "OIDC_ROLE_MAP"),
        ({**WHOLE, "OIDC_PROJECT_MAP": "ops=ocr"}, "OIDC_ROLE_MAP"),
        ({**WHOLE, "OIDC_REFUSE_WITHOUT_ROLE": "on"}, "OIDC_ROLE_MAP"),
        ({**WHOLE, "OIDC_SCOPES": "profile"}, "OIDC_SCOPES"),
        ({**WHOLE, "LOCAL_SIGN_IN": "off"}, "BREAK_GLASS_ACCOUNT"),
        ({"LOCAL_SIGN_IN": "off", "BREAK_GLASS_ACCOUNT": "rescue"}, "OIDC_ISSUER"),
        ({"SECOND_FACTOR_ROLES": "lead,boss"}, "SECOND_FACTOR_ROLES"),
    ],
)
def test_a_half_set_configuration_stops_the_start_with_its_setting(given: dict[str, str], name: str) -> None:
    refused = start(**given)
    last = refused.stderr.splitlines()[-1]
    assert refused.returncode != 0
    assert "ImproperlyConfigured" in last
    assert name in last


def test_groups_may_have_names_of_a_directory() -> None:
    map_ = "CN=Ops,OU=Groups,DC=example = operator ; /progress/leads=lead;"
    shown = start("OIDC", **WHOLE, OIDC_ROLE_MAP=map_).stdout
    assert "role_map=(('CN=Ops,OU=Groups,DC=example', 'operator'), ('/progress/leads', 'lead'))" in shown


def test_without_any_of_them_local_accounts_sign_in_as_before() -> None:
    assert start("OIDC").stdout.strip() == "None"
    axes, local = "axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"
    assert start("AUTHENTICATION_BACKENDS").stdout.strip() == str([axes, local])


def test_without_local_sign_in_sessions_of_passwords_end() -> None:
    shown = start("AUTHENTICATION_BACKENDS", **WHOLE, LOCAL_SIGN_IN="off", BREAK_GLASS_ACCOUNT="rescue").stdout
    assert "ModelBackend" not in shown
    assert "BreakGlassBackend" in shown
