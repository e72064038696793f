"""OpenAPI document: operations are described by the types that decode and encode them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
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
    406: "The media type of the header Accept cannot be sent.",
    409: "The request contradicts what is stored; `detail` names both states.",
    413: "The body is over 1 MiB.",
    415: "The body is not application/json.",
    503: "The database is down, locked or full; try again after `Retry-After` seconds.",
}
CREATED = (200, 201)
READ_ERRORS = (401, 403, 406, 503)
WRITE_ERRORS = (400, 401, 403, 406, 413, 415, 503)
HEADERS = {
    "ETag": "The revision of the job, for If-None-Match.",
    "If-None-Match": "The ETag of the last answer; the answer is 304 while the job has this revision.",
    "Last-Event-ID": "The id of the last message that the listener has; only newer ones follow.",
    "Location": "The address of the new object.",
    "Retry-After": "Seconds after which to try again.",
    "WWW-Authenticate": "The scheme of authentication, Bearer.",
}
ERROR_HEADERS = {401: ("WWW-Authenticate",), 503: ("Retry-After",)}

F = TypeVar("F", bound=Callable[..., Any])

_types: list[Any] = []
_queries: list[Any] = []


def values_of(*kinds: type[StrEnum], empty: bool = False) -> msgspec.Meta:
    """Return the mark of a text that is one of these values; with `empty` it may be empty too."""
    values = [str(value) for kind in kinds for value in kind]
    return msgspec.Meta(extra_json_schema={"enum": ["", *values] if empty else values})


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
    id: str,
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
    stream: str = "",
    takes: Sequence[str] = (),
    sends: Mapping[int, Sequence[str]] | None = None,
) -> Callable[[F], F]:
    """Describe one method of a view.

    `id` becomes the name of the method in generated clients. `query`, `body` and `answer` are the types of query,
    request and response, `status` that of the normal answer, `also` further answers with a sentence each (2xx with the
    same body, 304 without one), `errors` those beyond what every operation can answer, `send` and `shows` examples of
    request and response, `media` the media type of the normal answer, `stream` that of the same answer as a stream.
    `takes` are headers of the request, `sends` those of the response by status.
    """
    common = WRITE_ERRORS if body is not None else READ_ERRORS
    responses: dict[Any, Any] = {(status, media): OpenApiResponse(_reference(answer), description=summary)}
    if stream:
        responses[status, stream] = OpenApiResponse(_reference(str), description=summary)
    for code, sentence in (also or {}).items():
        responses[code] = OpenApiResponse(_reference(answer) if code in CREATED else None, description=sentence)
    for code in sorted({*common, *errors}):
        responses[code, PROBLEM] = OpenApiResponse(_reference(Problem), description=SENTENCES[code])

    def describe(method: F) -> F:
        described: F = extend_schema(
            operation_id=id,
            summary=summary,
            tags=[tag],
            request={"application/json": _reference(body)} if body is not None else None,
            responses=responses,
            parameters=[*_parameters(query), *_headers(takes, {**ERROR_HEADERS, **(sends or {})})],
            examples=_examples(send=send, shows=shows, status=status),
        )(method)
        return described

    return describe


def _headers(takes: Sequence[str], sends: Mapping[int, Sequence[str]]) -> list[OpenApiParameter]:
    """Return the headers of the request, and those of each response."""
    given: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in takes]
    answered = [(name, {"response": [status]}) for status, names in sends.items() for name in names]
    return [
        OpenApiParameter(name, str, OpenApiParameter.HEADER, description=HEADERS[name], **where)
        for name, where in (*given, *answered)
    ]


def _parameters(query: Any) -> list[OpenApiParameter]:
    """Return the query parameters of a struct; none is required."""
    if query is None:
        return []
    _queries.append(query)
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


def components() -> dict[str, dict[str, Any]]:
    """Return the schemas of all types that operations refer to, by name; a query is only its parameters."""
    found = msgspec.json.schema_components([*_types, *_queries], ref_template=TEMPLATE)[1]
    return {name: found[name] for name in found if name not in {query.__name__ for query in _queries}}


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
