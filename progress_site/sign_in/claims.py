"""Roles and projects that the claims of an OpenID provider stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from progress_site.sign_in.configuration import Company, Pairs


@dataclass(frozen=True)
class Grant:
    """The roles and projects of an account; None where claims do not decide them."""

    roles: frozenset[str] | None
    projects: frozenset[str] | None


def grant_of(claims: Mapping[str, Any], company: Company) -> Grant:
    """Return what these claims grant.

    An account without memberships sees every project. So an account whose claims name no project gets no role.
    """
    if not company.role_map:
        return Grant(None, None)
    roles = _mapped(values_of(claims, company.roles_claim), company.role_map)
    if not company.project_map:
        return Grant(roles, None)
    projects = _mapped(values_of(claims, company.projects_claim), company.project_map)
    return Grant(roles if projects else frozenset(), projects)


def values_of(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return the texts of a claim. `realm_access.roles` also names a claim inside of another one."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    values = value if isinstance(value, list) else [value]
    return frozenset(each for each in values if isinstance(each, str))


def _mapped(values: frozenset[str], pairs: Pairs) -> frozenset[str]:
    return frozenset(target for group, target in pairs if group in values)
