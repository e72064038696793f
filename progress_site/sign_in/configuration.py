"""Settings of sign-in, read from the environment. A half-set configuration stops the start with the missing setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from progress_site import environment

ROLES = ("viewer", "operator", "lead")
SUPERUSER = "superuser"
ALL_PROJECTS = "*"
PROJECT_LENGTH = 128
# The issuer names the provider of a linked account, in a column of this length.
ISSUER_LENGTH = 200
LOOPBACK = ("127.0.0.1", "localhost", "::1")
OPTIONS = (
    "OIDC_ROLES_CLAIM",
    "OIDC_ROLE_MAP",
    "OIDC_PROJECTS_CLAIM",
    "OIDC_PROJECT_MAP",
    "OIDC_REFUSE_WITHOUT_ROLE",
    "OIDC_CHECKS_SECOND_FACTOR",
)

COMPANY_BACKEND = "progress_site.sign_in.backends.CompanyBackend"
LOCAL_BACKEND = "django.contrib.auth.backends.ModelBackend"
BREAK_GLASS_BACKEND = "progress_site.sign_in.backends.BreakGlassBackend"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Company:
    """An OpenID provider, and the roles and projects that its claims stand for."""

    issuer: str
    client_id: str
    client_secret: str
    name: str = "Single sign-on"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    roles_claim: str = "groups"
    role_map: Pairs = ()
    projects_claim: str = "groups"
    project_map: Pairs = ()
    refuse_without_role: bool = False
    checks_second_factor: bool = False


def read_company() -> Company | None:
    """Return the OpenID provider of the settings, or None without one."""
    given = {
        "OIDC_ISSUER": environment.text("OIDC_ISSUER"),
        "OIDC_CLIENT_ID": environment.text("OIDC_CLIENT_ID"),
        "OIDC_CLIENT_SECRET": environment.text("OIDC_CLIENT_SECRET"),
    }
    if not any(given.values()):
        _refuse_options_alone()
        return None
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise ImproperlyConfigured(f"Set {', '.join(missing)} too, or none of OIDC_*: single sign-on needs all three.")
    roles_claim = environment.text("OIDC_ROLES_CLAIM", "groups")
    company = Company(
        issuer=_issuer(given["OIDC_ISSUER"]),
        client_id=given["OIDC_CLIENT_ID"],
        client_secret=given["OIDC_CLIENT_SECRET"],
        name=environment.text("OIDC_NAME", Company.name),
        scopes=tuple(environment.text("OIDC_SCOPES", " ".join(Company.scopes)).split()),
        roles_claim=roles_claim,
        role_map=_pairs("OIDC_ROLE_MAP", allowed=ROLES),
        projects_claim=environment.text("OIDC_PROJECTS_CLAIM", roles_claim),
        project_map=_pairs("OIDC_PROJECT_MAP"),
        refuse_without_role=environment.boolean("OIDC_REFUSE_WITHOUT_ROLE", default=False),
        checks_second_factor=environment.boolean("OIDC_CHECKS_SECOND_FACTOR", default=False),
    )
    _check(company)
    return company


def read_local_sign_in(company: Company | None) -> tuple[bool, str]:
    """Return whether local accounts may sign in, and the name of the account that always may."""
    local, account = environment.boolean("LOCAL_SIGN_IN", default=True), environment.text("BREAK_GLASS_ACCOUNT")
    if not local and company is None:
        raise ImproperlyConfigured("Set OIDC_ISSUER, or LOCAL_SIGN_IN to on: otherwise no account can sign in.")
    if not local and not account:
        raise ImproperlyConfigured(
            "Set BREAK_GLASS_ACCOUNT to the name of a local account, which can sign in while the provider is down."
        )
    return local, account


def read_second_factor_roles() -> tuple[str, ...]:
    """Return the roles whose accounts need a second factor."""
    roles = tuple(environment.words("SECOND_FACTOR_ROLES"))
    allowed = (*ROLES, SUPERUSER)
    for role in roles:
        if role not in allowed:
            raise ImproperlyConfigured(f"Set SECOND_FACTOR_ROLES to some of {', '.join(allowed)}, not {role!r}.")
    return roles


def backends(*, local: bool, company: Company | None) -> list[str]:
    """Return the authentication backends. Axes comes first, so that no other is asked while an account is locked."""
    companies = [COMPANY_BACKEND] if company else []
    return ["axes.backends.AxesStandaloneBackend", *companies, LOCAL_BACKEND if local else BREAK_GLASS_BACKEND]


def providers(company: Company | None) -> dict[str, Any]:
    """Return the setting of the providers for allauth. The issuer is part of the link of an account."""
    if company is None:
        return {}
    app = {
        "provider_id": company.issuer,
        "name": company.name,
        "client_id": company.client_id,
        "secret": company.client_secret,
        "settings": {"server_url": company.issuer.rstrip("/"), "scope": list(company.scopes)},
    }
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.netloc or not (parts.scheme == "https" or is_local):
        raise ImproperlyConfigured(f"Set OIDC_ISSUER to a URL with https://, not {value!r}.")
    if len(value) > ISSUER_LENGTH:
        raise ImproperlyConfigured(f"Set OIDC_ISSUER to a URL of at most {ISSUER_LENGTH} characters.")
    return value


def _pairs(name: str, *, allowed: tuple[str, ...] = ()) -> Pairs:
    """Return the pairs of `group=value; group=value`. A group may contain = and commas, as names of LDAP do."""
    pairs = []
    for word in environment.text(name).split(";"):
        if not word.strip():
            continue
        group, _, value = (part.strip() for part in word.rpartition("="))
        if not group or not value or (allowed and value not in allowed) or len(value) > PROJECT_LENGTH:
            wanted = f"one of {', '.join(allowed)}" if allowed else "a project, or * for all of them"
            raise ImproperlyConfigured(
                f"Set {name} to pairs such as group=value, separated by semicolons; each value is {wanted}. "
                f"Change {word.strip()!r}."
            )
        pairs.append((group, value))
    return tuple(pairs)


def _check(company: Company) -> None:
    if company.project_map and not company.role_map:
        raise ImproperlyConfigured(
            "Set OIDC_ROLE_MAP too: an account without a project of OIDC_PROJECT_MAP loses its roles."
        )
    if company.refuse_without_role and not company.role_map:
        raise ImproperlyConfigured("Set OIDC_ROLE_MAP too: OIDC_REFUSE_WITHOUT_ROLE would refuse every new account.")
    if "openid" not in company.scopes:
        raise ImproperlyConfigured("Add openid to OIDC_SCOPES.")


def _refuse_options_alone() -> None:
    alone = [name for name in OPTIONS if environment.text(name)]
    if alone:
        raise ImproperlyConfigured(f"Set OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET, or remove {alone[0]}.")
