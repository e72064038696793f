"""The import rule, over the files as they are: who may know whom."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = [name for name in ("jobs", "ocr_chunks", "training") if (ROOT / name).is_dir()]

# From the innermost to the doors: a module imports from its own layer and from those before it.
LAYERS = (
    ("progress", "signatures", "statuses", "errors", "jsontext", "contracts", "words", "names"),
    ("kinds", "event_order"),
    ("models",),
    ("access", "rows", "deletion", "pauses", "heartbeats"),
    ("serializers",),
    ("broadcast", "live"),
    ("outbox",),
    ("timeline", "change"),
    ("tracking",),
    ("operations", "watchdog", "tokens", "vision", "inbox", "outbox", "tracker"),
    ("diagnosis"),
    ("bulk",),
)
# The same within an app that stands on the kernel.
APP_LAYERS = (("ranges", "hashes", "percentages"), ("models",), ("documents", "sessions"), ("unified", "serializers"))
PURE = ("progress", "signatures", "statuses", "errors", "names", "jsontext", "contracts")
CHANNEL_LAYER = ("broadcast", "live")
DOORS = len(LAYERS)


def sources(*packages: str) -> list[Path]:
    """Every module of these packages but migrations."""
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return the syntax of a file, read once for all rules."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Each module that a file imports, and the line."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def module_of(path: Path) -> str:
    """The name of a module within its app: `models` for jobs/models/items.py."""
    return path.relative_to(ROOT).with_suffix("").parts[1]


def layer_of(name: str, layers: tuple[tuple[str, ...], ...] = LAYERS) -> int:
    """The number of a module's layer; what is in none is a door."""
    return next((number for number, names in enumerate(layers) if name in names), len(layers))


def offences(paths: list[Path], *, forbidden: Callable[[str], bool]) -> list[str]:
    """Where one of these files imports what is forbidden."""
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in paths
        for name, line in imported(path)
        if forbidden(name)
    ]


def top(name: str) -> str:
    """The package that a module belongs to."""
    return name.partition(".")[0]


def test_no_app_imports_the_wiring() -> None:
    assert not offences(sources(*APPS), forbidden=lambda name: top(name) == "progress_site")


def test_the_kernel_imports_no_other_app() -> None:
    assert not offences(sources("jobs"), forbidden=lambda name: top(name) in ("ocr_chunks", "training"))


def test_the_kernel_does_not_know_the_vision_pipeline() -> None:
    kernel = [path for path in sources("jobs") if module_of(path) != "vision"]
    assert not offences(kernel, forbidden=lambda name: name.startswith("jobs.vision"))


@pytest.mark.parametrize("number", range(DOORS))
def test_a_layer_imports_only_itself_and_those_before_it(number: int) -> None:
    own = [path for path in sources("jobs") if module_of(path) in LAYERS[number]]
    assert not offences(own, forbidden=lambda name: top(name) == "jobs" and layer_of(name.split(".")[1]) > number)


@pytest.mark.parametrize("app", [app for app in APPS if app != "jobs"])
def test_an_app_knows_the_kernel_and_itself_from_the_inside_to_the_doors(app: str) -> None:
    others = [other for other in APPS if other not in (app, "jobs")]
    assert not offences(sources(app), forbidden=lambda name: top(name) in others)
    for path in sources(app):
        own = layer_of(module_of(path), APP_LAYERS)
        outer = offences(
            [path],
            forbidden=lambda name, own=own: top(name) == app and layer_of(name.split(".")[1], APP_LAYERS) > own,
        )
        assert not outer


def test_a_pure_module_knows_no_framework_and_no_database() -> None:
    frameworks = ("django", "rest_framework", "channels", "daphne", "structlog", "msgspec", "sqlite3")
    pure = [path for path in sources("jobs") if module_of(path) in PURE]
    assert pure
    assert not offences(pure, forbidden=lambda name: top(name) in frameworks)


def test_only_broadcast_knows_the_channel_layer() -> None:
    others = [path for path in sources(*APPS) if module_of(path) not in CHANNEL_LAYER]
    assert not offences(others, forbidden=lambda name: name.startswith("channels.layers"))


def test_there_are_no_signals() -> None:
    signals = ("django.db.models.signals", "django.dispatch")
    assert not offences(sources(*APPS), forbidden=lambda name: name.startswith(signals))


def test_no_import_hides_inside_a_function() -> None:
    assert not [where for path in sources(*APPS, "progress_site") for where in hidden_imports(path)]


def test_no_module_is_called_utils() -> None:
    assert not [path for path in sources(*APPS, "progress_site") if "utils" in path.stem]


def hidden_imports(path: Path) -> list[str]:
    """Where a function of this file imports."""
    functions = [node for node in nodes_of(path) if isinstance(node, FUNCTIONS)]
    found = [node for function in functions for node in ast.walk(function) if isinstance(node, IMPORTS)]
    return [f"{path.relative_to(ROOT)}:{node.lineno}" for node in found]


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)
