"""The page of the event formats: the contract of each event type, with examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs import contracts
from jobs.console.base import render_page
from jobs.contracts import Contract

SECTIONS = {
    contracts.INBOUND: "Events that this site receives",
    contracts.OUTWARD: "Events that this site sends",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event's data."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One contract and its fields."""

    contract: Contract
    fields: list[Field]


def contracts_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show every contract, inbound ones first."""
    entries = [Entry(contract, fields_of(contract)) for contract in contracts.all()]
    sections = [
        (title, [entry for entry in entries if entry.contract.direction == direction])
        for direction, title in SECTIONS.items()
    ]
    return render_page(
        request, site, "jobs/deliveries/contracts.html", {"title": "Event contracts", "sections": sections}
    )


def fields_of(contract: Contract) -> list[Field]:
    """Return the fields in the order of the schema."""
    required = contract.schema.get("required", [])
    return [
        Field(name, _kind(rule), name in required, rule.get("description", ""))
        for name, rule in contract.schema.get("properties", {}).items()
    ]


def _kind(rule: dict[str, Any]) -> str:
    """Return the type in words: `uuid`, `integer or null`, `one of a, b`."""
    if "enum" in rule:
        return f"one of {', '.join('null' if value is None else str(value) for value in rule['enum'])}"
    if "const" in rule:
        return str(rule["const"]).lower()
    if "format" in rule:
        return str(rule["format"])
    kind = rule.get("type", "any")
    return kind if isinstance(kind, str) else " or ".join(kind)
