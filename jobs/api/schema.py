"""The OpenAPI document: operations are described by the types that decode and encode them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar

import msgspec
from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

TEMPLATE = "#/components/schemas/{name}"
JSON = "application/json"
PROBLEM = "application/problem+json"
SENTENCES = {
    400: "The input is wrong; `errors` names each field. Nothing was stored.",
    401: "No valid token.",
    403: "A permission is missing, which `detail` names, or the project is out of reach.",
    404: "No such thing within the account's sight.",
    409: "The request contradicts what is stored; `detail` names both states.",
    413: "The body is over 1 MiB.",
    503: "The database is down, locked or full; try again after `Retry-After` seconds.",
}
CREATED = (200, 201)
READ_ERRORS = (401, 403, 503)
WRITE_ERRORS = (400, 401, 403, 413, 503)

F = TypeVar("F", bound=Callable[..., Any])

_types: list[Any] = []


class FieldError(TypedDict):
    """One field and what is wrong with it."""

    field: str
    detail: str


class Problem(TypedDict):
    """An error as RFC 9457 describes it; `code` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError]


class TokenScheme(KnoxTokenScheme):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer <token>`, as knox and what is built on it check it."""

    name = "token"
    match_subclasses = True
    priority = 1


def operation(
    *,
    summary: str,
    answer: Any,
    body: Any = None,
    status: int = 200,
    tag: str = "jobs",
    also: Mapping[int, str] | None = None,
    errors: Sequence[int] = (),
    query: Any = None,
    send: Any = None,
    shows: Any = None,
    media: str = JSON,
) -> Callable[[F], F]:
    """Describe one method of a door.

    `query`, `body` and `answer` are the types of query, request and response, `status` that of the normal answer,
    `also` further answers with a sentence each (2xx with the same body, 304 without one), `errors`
    those beyond what every operation can answer, `send` and `shows` examples of request and response, `media` the media
    type of the normal answer.
    """
    common = WRITE_ERRORS if body is not None else READ_ERRORS
    responses: dict[Any, Any] = {(status, media): OpenApiResponse(_reference(answer), description=summary)}
    for code, sentence in (also or {}).items():
        responses[code] = OpenApiResponse(_reference(answer) if code in CREATED else None, description=sentence)
    for code in sorted({*common, *errors}):
        responses[code, PROBLEM] = OpenApiResponse(_reference(Problem), description=SENTENCES[code])

    def describe(method: F) -> F:
        described: F = extend_schema(
            operation_id=_operation_id(method),
            summary=summary,
            tags=[tag],
            request={"application/json": _reference(body)} if body is not None else None,
            responses=responses,
            parameters=_parameters(query),
            examples=_examples(send=send, shows=shows, status=status),
        )(method)
        return described

    return describe


def _operation_id(method: Callable[..., Any]) -> str:
    """`ClaimAny.post` → `post_claim_any`."""
    door, verb = method.__qualname__.split(".")
    return f"{verb}_{re.sub(r'(?<=[a-z])(?=[A-Z])', '_', door).lower()}"


def _parameters(query: Any) -> list[OpenApiParameter]:
    """The query parameters of a struct; none is required."""
    if query is None:
        return []
    described = msgspec.json.schema_components([query], ref_template=TEMPLATE)[1]
    fields = described[query.__name__]["properties"]
    return [
        OpenApiParameter(
            name,
            {key: value for key, value in schema.items() if key != "description"},
            description=schema.get("description", ""),
        )
        for name, schema in fields.items()
    ]


def add_components(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: add the types that operations refer to, and say which bodies are required."""
    components = msgspec.json.schema_components(_types, ref_template=TEMPLATE)[1]
    result["components"].setdefault("schemas", {}).update(components)
    for path in result["paths"].values():
        for described in path.values():
            _require_body(described, components=components)
    return result


def _require_body(described: dict[str, Any], *, components: Mapping[str, Any]) -> None:
    if "requestBody" not in described:
        return
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    component = components[schema["$ref"].rpartition("/")[2]]
    described["requestBody"]["required"] = bool(component.get("required"))


def _reference(type_: Any) -> dict[str, Any]:
    if type_ not in _types:
        _types.append(type_)
    schemas, _ = msgspec.json.schema_components([type_], ref_template=TEMPLATE)
    return next(iter(schemas))


def _examples(*, send: Any, shows: Any, status: int) -> list[OpenApiExample]:
    examples = []
    if send is not None:
        examples.append(OpenApiExample("request", value=send, request_only=True))
    if shows is not None:
        examples.append(OpenApiExample("answer", value=shows, response_only=True, status_codes=[str(status)]))
    return examples
