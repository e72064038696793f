"""OpenAPI document: operations are described by the types that decode and encode them."""

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
    400: "A field is missing or invalid; `errors` names each one. Nothing was stored.",
    401: "The token is missing or invalid.",
    403: "The account lacks the permission that `detail` names, or may not see the project.",
    404: "There is no such object, or it is not visible to the account.",
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
    """One field and its error."""

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
    """`Authorization: Bearer <token>`, checked by knox and its subclasses."""

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
    """Describe one method of a view.

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
    """Return the operation id: `ClaimAny.post` → `post_claim_any`."""
    view, verb = method.__qualname__.split(".")
    return f"{verb}_{re.sub(r'(?<=[a-z])(?=[A-Z])', '_', view).lower()}"


def _parameters(query: Any) -> list[OpenApiParameter]:
    """Return the query parameters of a struct; none is required."""
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
    """Add the referenced types, and mark required bodies. A postprocessing hook of drf-spectacular."""
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
