"""The import rules: the layers of the kernel, the apps on top of it, pure modules, and circles."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = [name for name in ("jobs", "ocr_chunks", "training") if (ROOT / name).is_dir()]

# Every entry at the top of jobs/, from the innermost to the outermost. A module imports from its own entry and from
# the layers before it. Entries of one layer do not know each other.
LAYERS = (
    ("rules",),
    ("contracts",),
    ("db",),
    ("models",),
    ("access", "isolation", "serializers"),
    ("incidents",),
    ("live", "outbox"),
    ("notifications",),
    ("change",),
    ("tracking",),
    ("watchdog", "inbox"),
    ("operations", "vision"),
    ("tracker",),
    ("api",),
    ("console", "management", "ingest"),
    ("apps", "urls", "routing"),
)
EXCEPTIONS: set[tuple[str, str]] = set()
# The inner layers of an app that stands on the kernel; its other entries are entry points.
APP_LAYERS = (
    ("page_ranges", "percentages"),
    ("models",),
    ("documents", "sessions", "serializers"),
    ("unified_progress",),
)
PURE = ("rules", "contracts")
# msgspec is not one of them: it describes types, and touches neither a request nor a database.
FRAMEWORKS = ("django", "rest_framework", "channels", "daphne", "structlog", "sqlite3")
CHANNEL_LAYER = "live"


def sources(*packages: str) -> list[Path]:
    """Return every module of these packages but migrations."""
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return the syntax of a file, read once for all rules."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each name that a file imports, and the line."""
    for node in nodes_of(path):
        yield from names_of(node, path)


def names_of(node: ast.AST, path: Path) -> Iterator[tuple[str, int]]:
    """Yield the names of an import statement, and its line."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, node.lineno) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{path}:{node.lineno} imports relatively"
        yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def entry_of(path: Path) -> str:
    """Return the entry at the top of an app to which a file belongs: `models` for jobs/models/items.py."""
    return path.relative_to(ROOT).with_suffix("").parts[1]


def layer_of(entry: str, layers: tuple[tuple[str, ...], ...] = LAYERS) -> int:
    """Return the number of the layer of an entry; entry points come after all layers."""
    return next((number for number, entries in enumerate(layers) if entry in entries), len(layers))


def offences(paths: list[Path], *, forbidden: Callable[[str], bool]) -> list[str]:
    """Return each line in which one of these files imports something forbidden."""
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in paths
        for name, line in imported(path)
        if forbidden(name)
    ]


def top(name: str) -> str:
    """Return the package of a module."""
    return name.partition(".")[0]


def inside(name: str) -> str:
    """Return the entry of an imported name within its app."""
    return name.split(".")[1]


# --- the kernel ----------------------------------------------------------------------------------------


def test_every_entry_of_the_kernel_has_a_layer() -> None:
    entries = {entry_of(path) for path in sources("jobs")} - {"__init__"}
    listed = [entry for layer in LAYERS for entry in layer]
    assert entries == set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("entry", [entry for layer in LAYERS for entry in layer])
def test_an_entry_imports_only_itself_and_the_layers_before_its_own(entry: str) -> None:
    def forbidden(name: str) -> bool:
        other = inside(name) if top(name) == "jobs" else entry
        return other != entry and layer_of(other) >= layer_of(entry) and (entry, other) not in EXCEPTIONS

    assert not offences([path for path in sources("jobs") if entry_of(path) == entry], forbidden=forbidden)


@pytest.mark.parametrize("app", ["jobs.console", "jobs.vision"])
def test_the_kernel_does_not_know_its_own_apps(app: str) -> None:
    own = inside(app)
    kernel = [path for path in sources("jobs") if entry_of(path) != own and (entry_of(path), own) not in EXCEPTIONS]
    assert not offences(kernel, forbidden=lambda name: f"{name}.".startswith(f"{app}."))


def test_the_kernel_imports_no_other_app() -> None:
    assert not offences(sources("jobs"), forbidden=lambda name: top(name) in ("ocr_chunks", "training"))


def test_a_pure_module_knows_no_framework_and_no_database() -> None:
    pure = [path for path in sources("jobs") if entry_of(path) in PURE]
    assert pure
    assert not offences(pure, forbidden=lambda name: top(name) in FRAMEWORKS)


def test_only_the_live_package_knows_the_channel_layer() -> None:
    others = [path for path in sources(*APPS) if entry_of(path) != CHANNEL_LAYER]
    assert not offences(others, forbidden=lambda name: name.startswith("channels.layers"))


# --- the apps ------------------------------------------------------------------------------------------


def test_no_app_imports_the_wiring() -> None:
    assert not offences(sources(*APPS), forbidden=lambda name: top(name) == "progress_site")


@pytest.mark.parametrize("app", [app for app in APPS if app != "jobs"])
def test_an_app_knows_the_kernel_and_itself_from_the_inside_to_the_entry_points(app: str) -> None:
    others = [other for other in APPS if other not in (app, "jobs")]
    assert not offences(sources(app), forbidden=lambda name: top(name) in others)
    for path in sources(app):
        own = layer_of(entry_of(path), APP_LAYERS)
        outer = offences(
            [path],
            forbidden=lambda name, own=own: top(name) == app and layer_of(inside(name), APP_LAYERS) > own,
        )
        assert not outer


def test_every_inner_layer_of_an_app_exists() -> None:
    entries = {entry_of(path) for app in APPS if app != "jobs" for path in sources(app)}
    assert {entry for layer in APP_LAYERS for entry in layer} <= entries


# --- circles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", [*APPS, "progress_site", "client/progress_client"])
def test_modules_do_not_import_each_other_in_a_circle(package: str) -> None:
    modules = {name_of(path, package): path for path in sources(package)}
    graph = {name: runtime_imports(path, modules.keys()) - {name} for name, path in modules.items()}
    assert not circles(graph)


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}}
    assert circles(graph) == ["a", "b", "c"]
    assert not circles(graph | {"c": {"d"}})


def test_an_import_for_types_alone_makes_no_circle(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("from p import a\nif TYPE_CHECKING:\n    from p import b\nelse:\n    from p.c import d\n")
    assert runtime_imports(path, {"p", "p.a", "p.b", "p.c"}) == {"p.a", "p.c"}


def name_of(path: Path, package: str) -> str:
    """Return the dotted name of a module, of a package that of its `__init__`."""
    parts = path.relative_to((ROOT / package).parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def runtime_imports(path: Path, modules: Collection[str]) -> set[str]:
    """Return those of these modules that a module imports when it is loaded."""
    return {
        name if name in modules else name.rpartition(".")[0]
        for node in loaded(ast.parse(path.read_text()))
        for name, _ in names_of(node, path)
        if name in modules or name.rpartition(".")[0] in modules
    }


def loaded(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a module that run when it is loaded: no function, and no branch of TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for branch in child.orelse:
                yield branch
                yield from loaded(branch)
            continue
        yield child
        yield from loaded(child)


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules that lie on a circle: those that reach themselves."""
    return sorted(name for name in graph if name in reached_from(name, graph))


def reached_from(name: str, graph: dict[str, set[str]]) -> set[str]:
    """Return everything that a module imports, and that its imports import."""
    found: set[str] = set()
    waiting = list(graph[name])
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting.extend(graph[each])
    return found


# --- everywhere ----------------------------------------------------------------------------------------


def test_there_are_no_signals() -> None:
    signals = ("django.db.models.signals", "django.dispatch")
    assert not offences(sources(*APPS), forbidden=lambda name: name.startswith(signals))


def test_no_import_hides_inside_a_function() -> None:
    assert not [line for path in sources(*APPS, "progress_site") for line in hidden_imports(path)]


def test_no_module_is_called_utils() -> None:
    assert not [path for path in sources(*APPS, "progress_site") if "utils" in path.stem]


def hidden_imports(path: Path) -> list[str]:
    """Return each line of a file on which a function imports."""
    functions = [node for node in nodes_of(path) if isinstance(node, FUNCTIONS)]
    found = [node for function in functions for node in ast.walk(function) if isinstance(node, IMPORTS)]
    return [f"{path.relative_to(ROOT)}:{node.lineno}" for node in found]


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)
