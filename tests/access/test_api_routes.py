"""The API: every route and method for every role, compared with `expected.txt`."""

from __future__ import annotations

import pytest

from tests.access.asking import API, address, ask, body, status, targets
from tests.access.conftest import Site
from tests.access.routes import http_routes
from tests.access.table import read_table

pytestmark = pytest.mark.django_db
TABLE = read_table()
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
WITHOUT_TOKEN = ("anonymous", "expired", "revoked", "inactive")


def test_every_route_of_the_api_has_an_expectation() -> None:
    assert {route.path for route in http_routes() if route.path.startswith(API)} == TABLE.paths("api")


def test_every_role_is_answered_as_the_table_says(site: Site) -> None:
    wrong = []
    for (path, method), rule in TABLE.rules["api"].items():
        for target in targets(path, method):
            project = site.projects[target]
            for caller in site.callers.values():
                response = ask(site.client, caller, method, address(path, project), body(path, method, project))
                if (answered := status(response)) != (expected := rule.answer(caller, target)):
                    wrong.append((method, path, target, caller.name, f"{answered}, not {expected}"))
    assert not wrong, "\n".join(map(str, wrong))


def test_a_method_without_an_expectation_is_405_and_without_a_token_401(site: Site) -> None:
    wrong = []
    for path in sorted(TABLE.paths("api")):
        missing = set(METHODS) - set(TABLE.methods("api", path))
        is_public = TABLE.rules["api"].get((path, "GET")) and TABLE.rules["api"][path, "GET"].roles["anonymous"] == "ok"
        at = address(path, site.projects["alpha"])
        for method in sorted(missing):
            for name in ("anonymous", "staff", "superuser"):
                expected = "401" if name in WITHOUT_TOKEN and not is_public else "405"
                if (answered := status(ask(site.client, site.callers[name], method, at))) != expected:
                    wrong.append((method, path, name, answered))
    assert not wrong, "\n".join(map(str, wrong))
