"""The AsyncAPI document is valid, and says what is really sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError

from jobs import contracts
from jobs.api import asyncapi
from jobs.contracts import Contract
from jobs.models import Event
from jobs.outbox import broker
from jobs.serializers import encode
from tests.factories import make_job
from tests.jobs.live.conftest import Watch, run, sign_in, watch

__all__ = ["watch"]
OUTWARD = [pytest.param(each, id=each.type) for each in contracts.all() if each.direction == contracts.OUTWARD]


def payload_of(name: str, given: dict[str, Any]) -> None:
    """Fail unless this is the message of this name."""
    document = json.loads(json.dumps(asyncapi.document()))
    schema = document["components"]["messages"][name]["payload"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(given)


@pytest.mark.npm
def test_the_document_is_valid(packages: Path) -> None:
    schemas = packages / "node_modules/@asyncapi/specs/schemas"
    schema = json.loads((schemas / "3.0.0-without-$id.json").read_text())
    Draft7Validator(schema).validate(json.loads(json.dumps(asyncapi.document())))


@pytest.mark.django_db
def test_the_document_is_served_to_everybody(client: Client) -> None:
    response = client.get("/api/v1/asyncapi")
    assert (response.status_code, response.json()["asyncapi"]) == (200, "3.0.0")
    assert client.post("/api/v1/asyncapi").status_code == 405


@pytest.mark.parametrize("contract", OUTWARD)
def test_every_outward_event_is_described(contract: Contract) -> None:
    job = {"id": 1, "name": "a", "project": "", "kind": "generic", "url": "http://h/"}
    body = {"event_id": "e", "type": contract.type, "job_id": "a", "job": job, "phase": None, "run": None}
    data = dict(contract.examples[0])
    payload_of(asyncapi.name_of(contract), {**body, "occurred_at": "2026-11-21T18:00:00Z", "data": data})
    with pytest.raises(ValidationError, match="Additional properties"):
        payload_of(asyncapi.name_of(contract), {**body, "occurred_at": "x", "data": {**data, "more": 1}})


@pytest.mark.django_db
def test_a_stored_event_is_as_the_document_says() -> None:
    make_job(items=1, done=1)
    for event in Event.objects.outward():
        contract = contracts.get(event.type)
        assert contract is not None
        payload_of(asyncapi.name_of(contract), json.loads(encode(event.body())))


@pytest.mark.django_db(transaction=True)
async def test_the_frames_of_a_socket_are_as_the_document_says(watch: Watch) -> None:
    job = await run(make_job, items=1)
    _, key = await run(sign_in, "view_job")
    browser = await watch("/ws/jobs", session_key=key).open()
    snapshot = await browser.hear()
    payload_of("SnapshotMessage", snapshot)
    assert [each["id"] for each in snapshot["jobs"]] == [job.pk]
    await browser.say(type="ack")


def test_the_exchange_is_that_of_the_broker() -> None:
    assert broker.EXCHANGE == asyncapi.EXCHANGE
