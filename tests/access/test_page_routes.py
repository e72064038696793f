"""The pages, files, badges and probes: every route and method for every role, compared with `expected.txt`."""

from __future__ import annotations

import pytest
from django.template.backends.django import Template

from tests.access.asking import API, address, ask, body, status, targets
from tests.access.callers import ENDED, LIMITED, Caller
from tests.access.conftest import Site
from tests.access.projects import OWN
from tests.access.routes import http_routes
from tests.access.table import read_table
from tests.plan import FULL

pytestmark = [pytest.mark.django_db, pytest.mark.full]
RULES = read_table().rules["page"]
PATHS = sorted({path for path, _ in RULES})
OTHERS = {"POST": ("anonymous", "superuser"), "PUT": ("superuser",), "DELETE": ("superuser",)}
if not FULL:
    OTHERS = {"POST": ("superuser",)}


@pytest.fixture(autouse=True)
def _pages_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the templates: a status is decided before, and they take most of the time."""
    monkeypatch.setattr(Template, "render", lambda *_: "")


def test_every_other_route_has_an_expectation() -> None:
    assert sorted({route.path for route in http_routes() if not route.path.startswith(API)}) == PATHS


def asking(site: Site, path: str, method: str, target: str) -> list[Caller]:
    """Return the callers of a page: of another project's objects those with limits, else all.

    At the small size one of the credentials that have ended, in turn, and where a page names no object, one limited
    account: `test_projects.py` reads all of these pages.
    """
    callers = [caller for caller in site.callers.values() if target == OWN or caller.limited]
    if FULL:
        return callers
    skipped = {name for name in ENDED if name != ENDED[PATHS.index(path) % len(ENDED)]}
    if len(targets(path, method)) == 1:
        skipped |= set(LIMITED) - {"lead of alpha"}
    return [caller for caller in callers if caller.name not in skipped]


def test_every_role_is_answered_as_the_table_says(site: Site) -> None:
    wrong = []
    for (path, method), rule in RULES.items():
        for target in targets(path, method):
            project = site.projects[target]
            for caller in asking(site, path, method, target):
                response = ask(site.client, caller, method, address(path, project), body(path, method, project))
                if (answered := status(response)) != (expected := rule.answer(caller, target)):
                    wrong.append((method, path, target, caller.name, f"{answered}, not {expected}"))
    assert not wrong, "\n".join(map(str, wrong))


def test_a_method_without_an_expectation_is_answered_like_get_or_405(site: Site) -> None:
    wrong = []
    for path in PATHS:
        at = address(path, site.projects[OWN])
        for method, names in OTHERS.items():
            for caller in (site.callers[name] for name in names if (path, method) not in RULES):
                answered = status(ask(site.client, caller, method, at))
                if answered not in (RULES[path, "GET"].answer(caller, OWN), "405"):
                    wrong.append((method, path, caller.name, answered))
    assert not wrong, "\n".join(map(str, wrong))
