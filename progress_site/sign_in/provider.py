"""The company's OpenID provider: its configuration, its checked claims, and its end of a session."""

from __future__ import annotations

from typing import Any

import jwt
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base import ProviderException
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest
from django.urls import reverse

from progress_site.sign_in.current import current_company

# Clocks of two machines differ.
LEEWAY_SECONDS = 60
# The token must not choose how it is checked: `none`, or the public key as a password.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
SUBJECT_LENGTH = SocialAccount._meta.get_field("uid").max_length or 0


class CompanyLogin(OpenIDConnectOAuth2Adapter):
    """The code flow with PKCE. An ID token needs the signature of the issuer that the settings name."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request, current_company().issuer)

    @property
    def openid_config(self) -> dict[str, Any]:
        """The configuration of the provider; ProviderException where it is that of another issuer."""
        config: dict[str, Any] = super().openid_config
        if str(config.get("issuer", "")).rstrip("/") != current_company().issuer.rstrip("/"):
            raise ProviderException(f"The provider calls itself {config.get('issuer')!r}. Change OIDC_ISSUER.")
        return config

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """Return the address that must be registered at the provider."""
        return request.build_absolute_uri(reverse("company-callback"))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **given: Any) -> SocialLogin:
        """Return the login with its claims: those of the user info, and those of the ID token, which win."""
        id_token = given["response"].get("id_token")
        if not id_token:
            raise ProviderException("The provider sent no ID token.")
        claims = self._checked(id_token)
        if self.openid_config.get("userinfo_endpoint"):
            info = self._fetch_user_info(token.token)
            if info.get("sub") != claims["sub"]:
                raise ProviderException("The user info is that of another subject.")
            claims = {**info, **claims}
        login: SocialLogin = self.get_provider().sociallogin_from_response(request, {"userinfo": claims})
        login.claims = claims
        login.sign_out = {"url": self.openid_config.get("end_session_endpoint", ""), "id_token": id_token}
        return login

    def _checked(self, id_token: str) -> dict[str, Any]:
        """Return the claims of an ID token; ProviderException if it is not signed, expired or for another client."""
        try:
            _, key = jwtkit.fetch_key(id_token, self.openid_config["jwks_uri"], jwtkit.lookup_kid_jwk)
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key=key,
                algorithms=ALGORITHMS,
                issuer=self.openid_config["issuer"],
                audience=current_company().client_id,
                leeway=LEEWAY_SECONDS,
                options={"require": ["iss", "aud", "exp", "sub"]},
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise ProviderException("The ID token is not valid.") from error
        return claims


class CompanyProvider(OpenIDConnectProvider):
    """The provider of the settings. An account is linked by issuer and subject, never by its e-mail address."""

    def get_oauth2_adapter(self, request: HttpRequest) -> CompanyLogin:
        """Return the flow with our addresses."""
        return CompanyLogin(request)

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Return the subject; ProviderException for one that no column can hold."""
        subject = str(data["userinfo"]["sub"])
        if not 0 < len(subject) <= SUBJECT_LENGTH:
            raise ProviderException("The subject of the account is empty or too long.")
        return subject

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Store no claims: they are read at each sign-in."""
        return {}


# allauth finds providers by this name, in every installed app.
provider_classes = [CompanyProvider]
