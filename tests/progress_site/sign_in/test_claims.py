"""Roles and projects from claims."""

from __future__ import annotations

from typing import Any

import pytest

from progress_site.sign_in.claims import Grant, grant_of, values_of
from progress_site.sign_in.configuration import Company

ROLES = (("ops", "operator"), ("leads", "lead"), ("leads", "viewer"))
PROJECTS = (("ops", "ocr"), ("leads", "*"))


def company(**more: Any) -> Company:
    """Return a provider with these maps."""
    return Company(issuer="https://sso.example.com", client_id="progress", client_secret="secret", **more)


def granted(groups: Any, **more: Any) -> Grant:
    """Return what these groups grant."""
    return grant_of({"groups": groups}, company(role_map=ROLES, **more))


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        (["ops"], {"operator"}),
        (["ops", "leads", "others"], {"operator", "lead", "viewer"}),
        ("ops", {"operator"}),
        ([], set()),
        (None, set()),
        ({"ops": True}, set()),
        ([["ops"], 7, None], set()),
        (["OPS"], set()),
    ],
)
def test_groups_become_roles(groups: Any, roles: set[str]) -> None:
    assert granted(groups) == Grant(frozenset(roles), None)


def test_groups_become_projects() -> None:
    assert granted(["ops", "leads"], project_map=PROJECTS).projects == {"ocr", "*"}


def test_without_a_project_there_is_no_role_because_it_would_see_every_project() -> None:
    only_ocr = (("ocr-team", "ocr"),)
    assert granted(["leads"], project_map=only_ocr) == Grant(frozenset(), frozenset())


def test_projects_may_come_from_another_claim() -> None:
    claims = {"groups": ["ops"], "teams": ["t-1"]}
    given = company(role_map=ROLES, projects_claim="teams", project_map=(("t-1", "ocr"),))
    assert grant_of(claims, given) == Grant(frozenset({"operator"}), frozenset({"ocr"}))


def test_without_a_map_an_administrator_decides() -> None:
    assert grant_of({"groups": ["ops"]}, company()) == Grant(None, None)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("realm_access.roles", {"ops"}),
        ("https://example.com/groups", {"staff"}),
        ("realm_access.roles.more", set()),
        ("missing.roles", set()),
    ],
)
def test_a_claim_may_be_inside_of_another_one_and_may_have_dots_in_its_name(name: str, values: set[str]) -> None:
    claims = {"realm_access": {"roles": ["ops"]}, "https://example.com/groups": ["staff"]}
    assert values_of(claims, name) == values
