"""Completion of the OpenAPI document: hooks of drf-spectacular.

Generators of clients read the document more narrowly than its standard does. A property with a default counts as always
present, an object without `additionalProperties` as an empty class, and a pattern with look-around as an error.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from jobs.api import schema

REFERS = {"anyOf", "$ref"}
LOOK_AROUND = r"(?!\n)"
BODY_METHODS = ("get", "post", "put", "patch", "delete")
# A pipeline that uses a tag of its own gets a plain description.
TAGS = {
    "jobs": "Jobs, their counts, errors and live state.",
    "work": "Calls of workers: claims, reports, heartbeats.",
    "phases": "Phases and their items.",
    "acts": "Acts of operators.",
    "events": "Outward events, where they are sent, and events of producers.",
    "incidents": "Incidents: causes that need a person.",
    "notifications": "Channels and rules of notifications.",
}


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the types that operations refer to and the tags, mark required bodies, and simplify every schema."""
    components = schema.components()
    result["components"].setdefault("schemas", {}).update(components)
    operations = list(_operations(result))
    for described in operations:
        _require_body(described, components=components)
    used = dict.fromkeys([*TAGS, *(tag for described in operations for tag in described["tags"])])
    result["tags"] = [{"name": name, "description": TAGS.get(name, f"Calls about {name}.")} for name in used]
    simplify(result["components"]["schemas"])
    simplify(result["paths"])
    return result


def _operations(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in result["paths"].values():
        yield from (described for method, described in path.items() if method in BODY_METHODS)


def _require_body(described: dict[str, Any], *, components: Mapping[str, Any]) -> None:
    if "requestBody" in described:
        reference = described["requestBody"]["content"][schema.JSON]["schema"]["$ref"]
        described["requestBody"]["required"] = bool(components[reference.rpartition("/")[2]].get("required"))


def simplify(node: Any) -> None:
    """Simplify every schema at or below this node."""
    if isinstance(node, list):
        for each in node:
            simplify(each)
    if isinstance(node, dict):
        if _is_schema(node):
            _simplify_schema(node)
        for name, each in node.items():
            if name not in ("example", "examples", "enum", "const"):
                simplify(each)


def _is_schema(node: Mapping[str, Any]) -> bool:
    return isinstance(node.get("type"), (str, list)) or isinstance(node.get("enum"), list) or bool(node.keys() & REFERS)


def _simplify_schema(node: dict[str, Any]) -> None:
    if node.get("type") == "object" and "properties" not in node:
        node.setdefault("additionalProperties", True)
    if "enum" in node and all(isinstance(value, str) for value in node["enum"]):
        node["type"] = "string"
    if "pattern" in node:
        node["pattern"] = str(node["pattern"]).replace(LOOK_AROUND, "")
    if isinstance(node.get("description"), str):
        node["description"] = inspect.cleandoc(node["description"])
    default = node.pop("default", None)
    if default not in (None, "", [], {}):
        node["description"] = f"{node.get('description', '')} Default: {str(default).lower()}.".strip()
