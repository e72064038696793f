"""AsyncAPI document: the events and the websockets, made from the contracts and the types of the messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from jobs import contracts
from jobs.api.schema import JSON, TEMPLATE
from jobs.api.schema_document import simplify
from jobs.contracts import INBOUND, OUTWARD, Contract
from jobs.live.client_messages import Ack, Pong, Sync
from jobs.live.server_messages import SERVER_MESSAGES
from jobs.serializers.shapes import EventBody

# The name in jobs.outbox.broker, which needs a package that not every installation has.
EXCHANGE = "progress.events"
CLIENT_MESSAGES = (Ack, Sync, Pong)
# Members of a contract that JSON Schema does not know, or that name the contract itself.
OF_CONTRACT = {"$schema", "$id", "title", "direction", "version", "pattern_of_type", "examples"}
SOCKETS = {
    "jobs": ("/ws/jobs", "The unfinished jobs and the last finished ones."),
    "job": ("/ws/jobs/{job_id}", "One job."),
    "project": ("/ws/projects/{project}", "The jobs of a project."),
}
PARAMETERS = {"job_id": "The id of the job.", "project": "The name of the project."}


@require_safe
def asyncapi(request: HttpRequest) -> JsonResponse:
    """Answer with the document. It depends on no request and no account."""
    return JsonResponse(document())


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    outward = {name_of(each): _event(each) for each in contracts.all() if each.direction == OUTWARD}
    inbound = {name_of(each): _produced(each) for each in contracts.all() if each.direction == INBOUND}
    sent, taken = _messages(SERVER_MESSAGES), _messages(CLIENT_MESSAGES)
    result = {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{settings.SPECTACULAR_SETTINGS['TITLE']}: events and live updates",
            "version": settings.SPECTACULAR_SETTINGS["VERSION"],
            "description": "Events go to webhooks, a RabbitMQ exchange and the feed; websockets carry jobs.",
        },
        "defaultContentType": JSON,
        "servers": {"site": _server()},
        "channels": {
            "events": _channel(None, f"Outward events: webhooks, the exchange {EXCHANGE}, the feed.", outward),
            "produced": _channel(None, f"Events of producers: POST /api/v1/events, the exchange {EXCHANGE}.", inbound),
            **{name: _socket(*socket, messages=(*sent, *taken)) for name, socket in SOCKETS.items()},
        },
        "operations": {
            "sendEvents": _operation("send", "events", outward),
            "receiveProduced": _operation("receive", "produced", inbound),
            **{f"send{name.capitalize()}": _operation("send", name, sent) for name in SOCKETS},
            **{f"receive{name.capitalize()}": _operation("receive", name, taken) for name in SOCKETS},
        },
        "components": {
            "schemas": msgspec.json.schema_components(
                [EventBody, *SERVER_MESSAGES, *CLIENT_MESSAGES], ref_template=TEMPLATE
            )[1],
            "messages": {**outward, **inbound, **sent, **taken},
        },
    }
    simplify(result)
    return result


def name_of(contract: Contract) -> str:
    """Return the name of the message of a contract; names in the document have no dots."""
    return contract.type.replace(".", "_")


def _event(contract: Contract) -> dict[str, Any]:
    """Describe an outward event: the fields of every event, and the data of this type."""
    data = {"type": "object", "properties": {"data": _data(contract)}, "required": ["data"]}
    payload = {"allOf": [{"$ref": TEMPLATE.format(name="EventBody")}, data]}
    return {"name": contract.type, "summary": contract.description, "payload": payload}


def _produced(contract: Contract) -> dict[str, Any]:
    """Describe an event of a producer."""
    properties = {"type": {"const": contract.type}, "data": _data(contract)}
    payload = {"type": "object", "properties": properties, "required": ["type", "data"]}
    return {"name": contract.type, "summary": contract.description, "payload": payload}


def _data(contract: Contract) -> dict[str, Any]:
    return {name: value for name, value in contract.schema.items() if name not in OF_CONTRACT}


def _messages(types: Iterable[Any]) -> dict[str, dict[str, Any]]:
    return {
        each.__name__: {"name": each.__name__, "payload": {"$ref": TEMPLATE.format(name=each.__name__)}}
        for each in types
    }


def _channel(address: str | None, description: str, messages: Iterable[str]) -> dict[str, Any]:
    references = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {"address": address, "description": description, "messages": references}


def _socket(address: str, description: str, *, messages: Iterable[str]) -> dict[str, Any]:
    parameters = {name: {"description": text} for name, text in PARAMETERS.items() if f"{{{name}}}" in address}
    return {**_channel(address, description, messages), "parameters": parameters}


def _operation(action: str, channel: str, messages: Mapping[str, Any]) -> dict[str, Any]:
    references = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages]
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "messages": references}


def _server() -> dict[str, Any]:
    address = urlsplit(settings.PUBLIC_URL)
    protocol = "wss" if address.scheme == "https" else "ws"
    return {"host": address.netloc, "protocol": protocol, "pathname": settings.PATH_PREFIX or "/"}
