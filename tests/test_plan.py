"""The plan of the test run: the place of each directory, and the marker of tests with two sizes."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest

from tests import plan


def test_a_directory_that_is_not_listed_stops_the_collection() -> None:
    with pytest.raises(pytest.UsageError, match="Add tests/jobs/new to RUN_ON_SCALE"):
        plan.check_listed(["tests/jobs/new/test_a.py", "tests/jobs/rules/test_gates.py"])


@pytest.mark.parametrize("table", ["RUN_ON_SCALE", "LONGEST"])
def test_an_entry_that_names_nothing_stops_the_collection(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"RUN_ON_SCALE": plan.RUN_ON_SCALE | {"tests/gone": True}, "LONGEST": ["broker", "tests/gone"]}
    monkeypatch.setattr(plan, table, given[table])
    with pytest.raises(pytest.UsageError, match="Remove tests/gone"):
        plan.check_listed([])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/jobs/rules/test_gates.py", True),
        ("tests/jobs/pages/test_roles.py", False),
        ("tests/jobs/pages/test_lists.py", True),
        ("tests/jobs/properties/test_state_machine.py", True),
        ("tests/client/test_loop.py", False),
    ],
)
def test_a_file_runs_where_its_directory_does_unless_it_has_an_entry(path: str, expected: bool) -> None:
    assert plan.runs_on_scale(path) is expected


def test_what_has_two_sizes_has_the_marker_full() -> None:
    unmarked = [
        path.relative_to(plan.ROOT).as_posix()
        for path in (plan.ROOT / "tests").rglob("test_*.py")
        if re.search(r"\bsize\(\d", text := path.read_text()) and "mark.full" not in text
    ]
    assert unmarked == []


@pytest.fixture
def changed() -> Any:
    """Run the script that names the tests whose large sizes run."""
    spec = spec_from_file_location("changed", plan.ROOT / ".ci" / "changed.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["jobs/tracking/claim.py"], ["tests/jobs"]),
        (["jobs/static/jobs/live.js", "README.md"], ["tests/e2e", "tests/jobs"]),
        (["templates/jobs/job.html"], ["tests/e2e", "tests/jobs/pages"]),
        (["tests/client/test_loop.py"], ["tests/client"]),
        (["jobs/tracking/claim.py", "pyproject.toml"], ["tests"]),
        (["tests/factories.py"], ["tests"]),
        (["requirements.txt"], ["tests"]),
        (["CHANGELOG.md"], []),
    ],
)
def test_the_large_sizes_of_what_a_change_touches_run(
    paths: list[str], expected: list[str], changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plan.ROOT)
    assert changed.tests_of(paths) == expected
