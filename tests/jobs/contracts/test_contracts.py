"""The contracts themselves: sound, complete, with examples that keep them."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from jobs import contracts
from jobs.contracts import Contract
from jobs.rules import pipelines

EVERY = [pytest.param(contract, id=contract.type) for contract in contracts.all()]
ID = "6f1c1a3e-8f0b-4b7e-9a57-0d2f4f6f2c11"


@pytest.mark.parametrize("contract", EVERY)
def test_a_contract_is_a_sound_schema_with_a_version_and_words_for_every_field(contract: Contract) -> None:
    Draft202012Validator.check_schema(contract.schema)
    assert contract.schema["$id"] == f"urn:progress-site:contract:{contract.type}:{contract.version}"
    assert contract.description.endswith(".")
    assert all(field.get("description") for field in contract.schema["properties"].values())


@pytest.mark.parametrize("contract", EVERY)
def test_every_example_keeps_its_contract_and_shows_its_required_fields(contract: Contract) -> None:
    assert contract.examples
    for example in contract.examples:
        assert contracts.check(contract.type, example) == []
        for name in contract.schema["required"]:
            short = {field: value for field, value in example.items() if field != name}
            assert contracts.check(contract.type, short) == [f"{name}: This field is required."]


def test_every_inbound_type_is_handled_and_no_other() -> None:
    described = [contract.type for contract in contracts.all() if contract.direction == contracts.INBOUND]
    assert tuple(described) == pipelines.inbound_types()
    assert len(described) == 10


def test_the_events_of_every_phase_have_one_contract() -> None:
    for code in ("items", "video.embeddings"):
        for end in ("completed", "failed"):
            found = contracts.get(f"{code}.{end}")
            assert found is not None
            assert found.type == f"phase.{end}"
    job_completed = contracts.get("job.completed")
    assert job_completed is not None
    assert job_completed.type == "job.completed"
    assert contracts.get("items.started") is None
    assert contracts.check("items.started", {}) == ["type: There is no contract for 'items.started'."]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, "total_keyframes: One of total_keyframes, total_frames is required."),
        ({"total_frames": 2.0}, "total_frames: 2.0 is not of type 'integer'."),
        ({"total_keyframes": True}, "total_keyframes: True is not of type 'integer'."),
    ],
)
def test_a_fault_names_its_field(data: dict[str, Any], fault: str) -> None:
    assert contracts.check("videos.keyframes.ready.batch", {"job_id": "a", "event_id": ID, **data}) == [fault]


def test_outward_events_promise_no_other_fields() -> None:
    data = {"job_id": "a", "event_id": ID, "total_images": 1, "more": 1}
    assert contracts.check("products.images.masked.batch", data) == ["more: This field is unknown."]


def test_inbound_events_may_say_more_than_is_read() -> None:
    data = {"job_id": "a", "event_id": ID, "asset_id": "b", "model": "v2"}
    assert contracts.check("image.embedding.ready", data) == []


def test_a_thousand_faults_are_cut_and_long_values_are_not_quoted() -> None:
    data = {"job_id": "x" * 5000, "video_id": "v", "frames": [{"frame_id": n} for n in range(1000)]}
    faults = contracts.check("videos.keyframes.ready", data)
    assert len(faults) == 20
    assert all(len(fault) < 300 for fault in faults)
