"""Answers of a provider that are not what it should say: each one is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from allauth.core import context
from allauth.socialaccount.providers.base import ProviderException
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import RequestFactory

from progress_site.sign_in.provider import CompanyLogin

pytestmark = pytest.mark.django_db
KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
HEADERS = {"kid": "k-1"}


@pytest.fixture
def answers() -> Iterator[dict[str, Any]]:
    """Serve these JSON answers, by path; `url` is the address of the server."""
    found: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found[self.path]).encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    jwk = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "k-1", "alg": "RS256"}
    found["url"] = url
    found["/jwks"] = {"keys": [jwk]}
    found["/userinfo"] = {"sub": "4711", "groups": ["ops"]}
    found["/.well-known/openid-configuration"] = {
        "issuer": url,
        "jwks_uri": f"{url}/jwks",
        "userinfo_endpoint": f"{url}/userinfo",
    }
    yield found
    server.shutdown()
    server.server_close()


def complete(id_token: str | None) -> Any:
    """Complete a login with this ID token."""
    request = RequestFactory().get("/account/company/callback/")
    with context.request_context(request):
        login = CompanyLogin(request)
        token = login.parse_token({"access_token": "any"})
        return login.complete_login(request, login.get_provider().app, token, response={"id_token": id_token})


def signed(url: str, *, key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    """Return an ID token, right but for these claims."""
    now = int(time.time())
    whole = {"iss": url, "aud": "progress", "sub": "4711", "iat": now, "exp": now + 300, **claims}
    given = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers=HEADERS)


def test_the_claims_of_token_and_user_info_are_joined(company: Callable[..., Any], answers: dict[str, Any]) -> None:
    company(issuer=answers["url"])
    login = complete(signed(answers["url"], groups=["leads"]))
    assert (login.account.uid, login.claims["groups"]) == ("4711", ["leads"])
    assert complete(signed(answers["url"])).claims["groups"] == ["ops"]
    assert login.account.extra_data == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another-client"},
        {"iss": "https://other.example.com"},
        {"exp": int(time.time()) - 3600},
        {"sub": None},
        {"exp": None},
        {"key": OTHER},
        {"key": "", "algorithm": "none"},
        {"key": "a" * 64, "algorithm": "HS256"},
    ],
)
def test_a_wrong_token_is_refused(company: Callable[..., Any], answers: dict[str, Any], wrong: dict[str, Any]) -> None:
    company(issuer=answers["url"])
    with pytest.raises(ProviderException):
        complete(signed(answers["url"], **wrong))


@pytest.mark.parametrize("token", [None, "", "nonsense", "a.b.c"])
def test_no_token_is_refused(company: Callable[..., Any], answers: dict[str, Any], token: str | None) -> None:
    company(issuer=answers["url"])
    with pytest.raises(ProviderException):
        complete(token)


def test_user_info_of_another_subject_is_refused(company: Callable[..., Any], answers: dict[str, Any]) -> None:
    company(issuer=answers["url"])
    answers["/userinfo"] = {"sub": "4712", "groups": ["leads"]}
    with pytest.raises(ProviderException):
        complete(signed(answers["url"]))


def test_a_configuration_of_another_issuer_is_refused(company: Callable[..., Any], answers: dict[str, Any]) -> None:
    company(issuer=answers["url"])
    answers["/.well-known/openid-configuration"]["issuer"] = "https://other.example.com"
    with pytest.raises(ProviderException, match="OIDC_ISSUER"):
        complete(signed(answers["url"]))


@pytest.mark.parametrize("subject", ["", "x" * 192])
def test_a_subject_that_cannot_be_kept_is_refused(
    company: Callable[..., Any], answers: dict[str, Any], subject: str
) -> None:
    company(issuer=answers["url"])
    answers["/userinfo"] = {"sub": subject}
    with pytest.raises(ProviderException):
        complete(signed(answers["url"], sub=subject))
