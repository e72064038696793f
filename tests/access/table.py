"""The table of expectations, read from `expected.txt`: a status for each route, method and caller."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.access.callers import Caller
from tests.access.projects import FOREIGN

FILE = Path(__file__).with_name("expected.txt")
OK, LOGIN = "ok", "login"
ALTERNATIVES = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True)
class Rule:
    """The answers of one route to one method.

    `roles` has a status for each role, in which `ok` stands for `status`. A limited account that would get it is
    answered `foreign` for an object of another project, and `limited` for an object of its own; `hidden` comes before
    the answer to its role.
    """

    roles: dict[str, str]
    status: str
    foreign: str
    limited: str
    hidden: str = ""

    def answer(self, caller: Caller, target: str) -> str:
        """Return the status for a caller who asks for an object of this project."""
        by_role = self.roles[caller.role]
        if caller.limited and self.hidden and by_role != LOGIN:
            return self.hidden
        if by_role != OK:
            return by_role
        if caller.limited and target == FOREIGN:
            return self.foreign
        return self.limited if caller.limited else self.status


@dataclass(frozen=True)
class Table:
    """Every expectation, by kind of route, path and method."""

    rules: dict[str, dict[tuple[str, str], Rule]]

    def paths(self, kind: str) -> set[str]:
        """Return the paths of a kind of route."""
        return {path for path, _ in self.rules[kind]}

    def methods(self, kind: str, path: str) -> list[str]:
        """Return the methods of a path."""
        return [method for each, method in self.rules[kind] if each == path]


def read_table() -> Table:
    """Read the table; ValueError for a line that is no expectation, or for two of one route and method."""
    groups: dict[str, dict[str, str]] = {}
    rules: dict[str, dict[tuple[str, str], Rule]] = {}
    kind, heads = "", []
    for line in FILE.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] in ("group", "route"):
            kind, heads = words[1], words[2:]
            rules.setdefault(kind, {})
        elif heads and heads[0] == "anonymous":
            groups[words[0]] = dict(zip(heads, words[1:], strict=True))
        else:
            path, methods, group, status, *more = words
            given = dict(each.split("=") for each in more)
            rule = Rule(groups[group], **{"status": status, "foreign": "404", "limited": status, **given})
            for key in ((each, method) for each in spell_out(path) for method in methods.split(",")):
                if key in rules[kind]:
                    raise ValueError(f"{key} has two expectations.")
                rules[kind][key] = rule
    return Table(rules)


def spell_out(path: str) -> Iterator[str]:
    """Yield the paths of `a/(b|c)/d`; `/` alone is the empty path."""
    found = ALTERNATIVES.search(path)
    if found is None:
        yield path.lstrip("/")
        return
    for each in found[1].split("|"):
        yield from spell_out(path[: found.start()] + each + path[found.end() :])
