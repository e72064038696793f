"""The client stands alone, so its command has its own copy of what `manage.py jobs` draws: the two stay the same."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVER, CLIENT = ROOT / "jobs/management/terminal", ROOT / "client/progress_client/command"
DIFFER = {"moment"}  # the server has times, the client the texts that the wire carries


def parts(file: Path) -> dict[str, str]:
    """The functions of a module by their names, and its constants."""
    body = ast.parse(file.read_text()).body
    functions = {node.name: ast.dump(node) for node in body if isinstance(node, ast.FunctionDef)}
    constants = {ast.unparse(node.targets[0]): ast.dump(node) for node in body if isinstance(node, ast.Assign)}
    return {name: code for name, code in (functions | constants).items() if name not in DIFFER}


@pytest.mark.parametrize("module", ["drawing.py", "screens.py"])
def test_both_commands_draw_alike(module: str) -> None:
    server, client = parts(SERVER / module), parts(CLIENT / module)
    assert len(server) > 5
    assert [name for name in server | client if server.get(name) != client.get(name)] == []
