"""Errors under /api/ as problems, whatever raised them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.test import Client, RequestFactory
from django.urls import include, path
from rest_framework.exceptions import NotAcceptable, Throttled, UnsupportedMediaType, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.rules.errors import BadInput, Conflict, NotFound, NotPermitted, WrongState
from progress_site.asgi_middleware import BodyLimit, HeaderLimit
from progress_site.rest.exceptions import handle, server_error

RAISED: dict[str, Exception] = {
    "wrong-state": WrongState("The job is completed, not pending."),
    "conflict": Conflict("Taken.", code="name_taken"),
    "bad-input": BadInput({"items[3].key": "This field is required."}),
    "not-permitted": NotPermitted("This needs the permission jobs.retry_job."),
    "not-found": NotFound("There is no job 7."),
    "validation": ValidationError({"a": ["Wrong."], "b": [{"c": ["Worse."]}]}),
    "django-404": Http404(),
    "django-403": PermissionDenied(),
    "suspicious": SuspiciousOperation(),
    "unreadable": UnreadablePostError(),
    "locked": OperationalError("database is locked"),
    "down": InterfaceError("connection already closed"),
    "throttled": Throttled(wait=7),
    "media": UnsupportedMediaType("text/csv"),
    "not-acceptable": NotAcceptable(),
    "defect": ZeroDivisionError("division by zero"),
}


class Raising(APIView):
    """A view that fails on request."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    def get(self, request: Request, name: str) -> Response:
        raise RAISED[name]

    def post(self, request: Request, name: str) -> Response:
        return Response(request.data)


def page(request: HttpRequest, name: str) -> HttpResponse:
    raise RAISED[name]


urlpatterns = [
    path("api/v1/raise/<str:name>", Raising.as_view()),
    path("pages/<str:name>", page),
    path("", include("progress_site.urls")),
]
handler400 = "progress_site.rest.exceptions.bad_request"
handler500 = "progress_site.rest.exceptions.server_error"
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def client() -> Client:
    """A client that gets the response to a defect instead of the exception."""
    return Client(raise_request_exception=False)


def problem_of(response: Any, status: int) -> dict[str, Any]:
    """Return the problem in this answer."""
    body: dict[str, Any] = json.loads(response.content)
    assert response.status_code == body["status"] == status
    assert response["Content-Type"] == "application/problem+json"
    assert set(body) == {"type", "title", "status", "detail", "code", "errors"}
    assert all((body["title"], body["detail"], body["code"]))
    return body


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("wrong-state", 409, "wrong_state"),
        ("conflict", 409, "name_taken"),
        ("bad-input", 400, "invalid"),
        ("not-permitted", 403, "permission_denied"),
        ("not-found", 404, "not_found"),
        ("validation", 400, "invalid"),
        ("django-404", 404, "not_found"),
        ("django-403", 403, "permission_denied"),
        ("suspicious", 400, "invalid"),
        ("unreadable", 400, "malformed_request"),
        ("locked", 503, "unavailable"),
        ("down", 503, "unavailable"),
        ("throttled", 429, "throttled"),
        ("media", 415, "unsupported_media_type"),
        ("not-acceptable", 406, "not_acceptable"),
        ("defect", 500, "server_error"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_an_exception_of_a_view_is_a_problem(
    client: Client, settings: Any, name: str, status: int, code: str, debug: bool
) -> None:
    settings.DEBUG = debug
    assert problem_of(client.get(f"/api/v1/raise/{name}"), status)["code"] == code


def test_bad_input_names_each_field(client: Client) -> None:
    body = problem_of(client.get("/api/v1/raise/bad-input"), 400)
    assert body["errors"] == [{"field": "items[3].key", "detail": "This field is required."}]
    nested = problem_of(client.get("/api/v1/raise/validation"), 400)
    assert [error["field"] for error in nested["errors"]] == ["a", "b[0].c"]


@pytest.mark.parametrize("name", ["locked", "down", "throttled"])
def test_a_retry_after_header_gives_the_seconds(client: Client, name: str) -> None:
    assert int(client.get(f"/api/v1/raise/{name}")["Retry-After"]) >= 5


@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_address_is_a_problem(client: Client, settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    problem_of(client.get("/api/v1/nothing"), 404)
    problem_of(client.get("/api/v1/raise/defect/"), 404)


@pytest.mark.parametrize("debug", [False, True])
def test_a_host_that_is_not_served_is_a_problem(client: Client, settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    body = problem_of(client.get("/api/v1/nothing", headers={"host": "evil.example.com"}), 400)
    assert body["code"] == "host_not_allowed", "no verdict on the request: a client tries again"
    assert "evil.example.com" in body["detail"]
    assert "ALLOWED_HOSTS" in body["detail"]


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(client: Client) -> None:
    response = client.delete("/api/v1/raise/defect")
    problem_of(response, 405)
    assert "GET" in response["Allow"]


@pytest.mark.parametrize("type_", ["text/csv", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_type_of_body_is_a_problem(client: Client, type_: str) -> None:
    problem_of(client.generic("POST", "/api/v1/raise/x", "a=1", content_type=type_), 415)


def test_a_body_over_one_mebibyte_is_a_problem(client: Client) -> None:
    body = b'{"a": "%s"}' % (b"x" * 1_048_576)
    problem_of(client.post("/api/v1/raise/x", body, content_type="application/json"), 413)
    fits = b'{"a": "%s"}' % (b"x" * 1_000_000)
    assert client.post("/api/v1/raise/x", fits, content_type="application/json").status_code == 200


def test_a_body_that_is_not_json_is_a_problem(client: Client) -> None:
    body = b'{"a": 1'
    assert (
        "not JSON" in problem_of(client.post("/api/v1/raise/x", body, content_type="application/json"), 400)["detail"]
    )


@pytest.mark.django_db
def test_an_anonymous_client_gets_the_authentication_scheme(client: Client) -> None:
    response = client.get("/api/v1/jobs")
    problem_of(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x", "Bearer x y", "Bearer ä", "Bearer \x80\xff", "bearer " + "x" * 5000]
)
def test_a_wrong_token_is_anonymous(client: Client, header: str) -> None:
    problem_of(client.get("/api/v1/jobs", headers={"authorization": header}), 401)


@pytest.mark.parametrize(("name", "status"), [("locked", 503), ("down", 503), ("defect", 500)])
def test_a_page_says_whether_it_was_the_database(client: Client, name: str, status: int) -> None:
    response = client.get(f"/pages/{name}")
    assert response.status_code == status
    assert not response["Content-Type"].startswith("application/problem")
    assert ("Retry-After" in response) is (status == 503)


def test_a_defect_outside_any_view_is_a_problem() -> None:
    problem_of(server_error(RequestFactory().get("/api/v1/jobs")), 500)


def test_a_defect_is_left_to_the_log() -> None:
    assert handle(ZeroDivisionError(), {}) is None


def sent(chunks: list[bytes], *headers: tuple[bytes, bytes]) -> tuple[int, bytes]:
    """Return status and body of the answer to a POST in these chunks, through the limit of the body."""
    last = len(chunks) - 1
    waiting = [{"type": "http.request", "body": body, "more_body": at < last} for at, body in enumerate(chunks)]
    answer: list[Any] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        answer.append(message)

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        length = dict(scope["headers"])[b"content-length"]
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": length + b" " + (await receive())["body"]})

    scope = {"type": "http", "method": "POST", "headers": list(headers)}
    async_to_sync(BodyLimit(echo))(scope, receive, send)
    return answer[0]["status"], answer[1]["body"]


def test_a_body_in_chunks_gets_its_length() -> None:
    assert sent([b"abc", b"def"]) == (200, b"6 abcdef")


def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_long() -> None:
    status, body = sent([b"x" * 500_000] * 4)
    assert (status, json.loads(body)["code"]) == (413, "too_large")


@pytest.mark.parametrize("length", [b"1048577", b"-1", b"abc", b""])
def test_a_wrong_length_is_refused_before_the_body_is_read(length: bytes) -> None:
    assert sent([b"x"], (b"content-length", length))[0] == 413


def through_headers(*headers: tuple[bytes, bytes], type: str = "http") -> tuple[list[Any], list[Any]]:
    """Return the headers that reach the application, and the messages of the limit itself."""
    reached: list[Any] = []
    answer: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.extend(scope["headers"])

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        answer.append(message)

    async_to_sync(HeaderLimit(application))({"type": type, "headers": list(headers)}, receive, send)
    return reached, answer


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x", b"a" * 16_384)],
        [(b"cookie", b"a" * 6_000)] * 3,
        [(b"content-type", b"a" * 2_049)],
        [(b"accept", b"a" * 1_025)] * 2,
    ],
)
def test_headers_over_the_limit_are_refused_before_they_are_parsed(headers: list[tuple[bytes, bytes]]) -> None:
    reached, answer = through_headers(*headers)
    assert not reached
    assert (answer[0]["status"], json.loads(answer[1]["body"])["code"]) == (431, "headers_too_large")
    assert through_headers(*headers, type="websocket") == ([], [{"type": "websocket.close"}])


def test_a_cookie_with_a_backslash_is_removed_and_the_others_stay() -> None:
    cookies = (b"cookie", b'a=1; b="\\\\"; c=3')
    assert through_headers(cookies, (b"x", b"\\"))[0] == [(b"cookie", b"a=1; c=3"), (b"x", b"\\")]
