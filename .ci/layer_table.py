"""The table of layers in docs/architecture.md, generated from LAYERS in tests/test_imports.py: `make docs`.

A layer's row names its packages and modules with the first line of their docstrings.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- layers: begin -->", "<!-- layers: end -->"


def source_of(name: str) -> Path | None:
    """Return the file of an entry of `jobs`, or None if there is none."""
    places = (ROOT / "jobs" / name / "__init__.py", ROOT / "jobs" / f"{name}.py")
    return next((path for path in places if path.is_file()), None)


def summary(path: Path) -> str:
    """Return the first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.partition("\n")[0].replace("|", r"\|")


def entries(layer: str | Iterable[str]) -> list[str]:
    """Return the names of a layer."""
    return [layer] if isinstance(layer, str) else list(layer)


def table(layers: Iterable[str | Iterable[str]]) -> str:
    """Return the table in Markdown. An entry that is not in `jobs` is left out."""
    rows = ["| layer | in `jobs/` | |", "|---|---|---|"]
    for number, layer in enumerate(layers, start=1):
        found = [(name, path) for name in entries(layer) if (path := source_of(name))]
        for place, (name, path) in enumerate(found):
            shown = f"{name}/" if path.name == "__init__.py" else path.name
            rows.append(f"| {number if place == 0 else ''} | `{shown}` | {summary(path)} |")
    return "\n".join(rows)


def page_with(text: str, layers: Iterable[str | Iterable[str]]) -> str:
    """Return the text of the page with the table of these layers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(layers)}\n{END}{after}"


def main() -> None:
    """Write the table into the page."""
    sys.path.insert(0, str(ROOT))
    from tests.test_imports import LAYERS

    PAGE.write_text(page_with(PAGE.read_text(), LAYERS))


if __name__ == "__main__":
    main()
