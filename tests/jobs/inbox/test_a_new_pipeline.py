"""A pipeline brings its own types of inbound events, without an edit in the kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from jobs import contracts
from jobs.change import Change
from jobs.inbox.handlers import Effect, EventHandler, announce, complete_item
from jobs.inbox.messages import Inbound
from jobs.models import Job, Phase
from jobs.rules import pipelines
from jobs.rules.pipelines import Kind, KindOptions, PhaseSpec
from tests.factories import outward, phase_of
from tests.jobs.api.conftest import Api, api, worker
from tests.jobs.inbox.messages import event, send
from tests.jobs.pages.conftest import Browser

__all__ = ["api", "worker"]
pytestmark = pytest.mark.django_db
WEIGHED, EXPECTED = "parcel.weighed", "parcels.expected"


def schema(type: str, **fields: str) -> dict[str, Any]:
    """The contract of a type: a job, an id, and these fields of these JSON types."""
    texts = {"job_id": "string", "event_id": "string", **fields}
    example = {"job_id": "shipment", "event_id": str(uuid4()), **dict.fromkeys(fields, 1)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:progress-site:contract:{type}:1",
        "title": type,
        "description": f"The event {type}.",
        "direction": "inbound",
        "version": 1,
        "type": "object",
        "properties": {name: {"type": kind, "description": name} for name, kind in texts.items()},
        "required": [*texts],
        "examples": [example],
    }


def missing_phases(present: Sequence[Phase]) -> list[PhaseSpec]:
    """The one phase of a shipment."""
    return [] if present else [PhaseSpec("weighing")]


def weighed(change: Change, weighing: Inbound, phases: list[Phase]) -> Effect:
    """Complete a parcel."""
    return complete_item(change, phases[0], str(weighing.data["parcel"]), field="data.parcel")


def expected(change: Change, notice: Inbound, phases: list[Phase]) -> Effect:
    """Announce the number of parcels."""
    return announce(change, notice, phases, total=notice.data["parcels"])


def build(options: KindOptions) -> list[PhaseSpec]:
    """The phases of a shipment."""
    return list(options.phases) or missing_phases([])


@pytest.fixture
def shipments(tmp_path: Path) -> Iterator[Kind]:
    """The pipeline, registered for one test as an app registers it when it is ready."""
    for name, fields in ((WEIGHED, {"parcel": "integer"}), (EXPECTED, {"parcels": "integer"})):
        (tmp_path / f"{name}.json").write_text(json.dumps(schema(name, **fields)))
    kind = Kind(
        code="shipment",
        label="Shipment",
        build=build,
        inbound={
            WEIGHED: EventHandler(missing_phases, list, weighed),
            EXPECTED: EventHandler(missing_phases, list, expected, repeatable_by_id=True),
        },
        contracts=tmp_path,
    )
    pipelines.register(kind)
    yield kind
    del pipelines._kinds[kind.code]


@pytest.mark.usefixtures("shipments")
def test_its_events_create_a_job_count_and_complete_it() -> None:
    first = send(WEIGHED, job="shipment-1", parcel=1)
    assert (first.applied, first.job.kind, first.phases) == (True, "shipment", ["weighing"])
    again = send(WEIGHED, job="shipment-1", parcel=1)
    assert (again.applied, again.reason) == (False, "duplicate")
    send(EXPECTED, job="shipment-1", parcels=2)
    assert (phase_of(first.job).done, phase_of(first.job).expected) == (1, 2)
    send(WEIGHED, job="shipment-1", parcel=2)
    job = Job.objects.get(name="shipment-1")
    assert job.status == "completed"
    assert [data["processed_assets"] for data in outward(job, "weighing.completed")] == [2]


@pytest.mark.usefixtures("shipments")
def test_its_events_come_over_rest_within_their_contracts(worker: Api) -> None:
    assert worker.post("/events", event(WEIGHED, job="shipment-1", parcel=1)).json()["phases"] == ["weighing"]
    refused = worker.post("/events", event(WEIGHED, job="shipment-1"))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "data.parcel")


@pytest.mark.usefixtures("shipments")
def test_its_contracts_are_listed() -> None:
    assert WEIGHED in Browser("viewer").open("/admin/contracts/").text
    assert {WEIGHED, EXPECTED} <= set(pipelines.inbound_types())


def test_without_the_pipeline_its_events_are_unknown() -> None:
    assert contracts.get(WEIGHED) is None
    assert WEIGHED not in pipelines.inbound_types()


def test_a_type_of_events_belongs_to_one_pipeline(shipments: Kind) -> None:
    other = Kind(code="other", label="Other", build=build, inbound={WEIGHED: shipments.inbound[WEIGHED]})
    with pytest.raises(ValueError, match=r"parcel\.weighed"):
        pipelines.register(other)
    assert pipelines.find("other") is None
