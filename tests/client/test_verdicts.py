"""The answers that the client takes for those of a Progress Site, by status, content type, code and shape."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from progress_client import NotFound, Refused
from progress_client.answers import VERDICTS, is_expected, verdict

from tests.examples.site import ROOT


def test_every_code_that_the_site_refuses_with_is_known_to_the_client() -> None:
    of_the_moment = {"unavailable", "throttled", "server_error", "error", "method_not_allowed", "not_acceptable"}
    of_the_moment |= {"unsupported_media_type", "host_not_allowed", "malformed_request", "headers_too_large"}
    assert not VERDICTS & of_the_moment
    assert {*codes_of_the_site()} - of_the_moment <= VERDICTS


def codes_of_the_site() -> Iterator[str]:
    """The codes of all errors that the source names."""
    from progress_site.rest.problems import CODES

    yield from CODES.values()
    for app in ("jobs", "ocr_chunks", "training", "progress_site"):
        for path in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Conflict", "BadInput", "problem"):
                    named = [word.value for word in node.keywords if word.arg == "code"]
                elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("code", "default_code", "CODE"):
                    named = [node.value]
                else:
                    continue
                yield from (value.value for value in named if isinstance(value, ast.Constant) and value.value)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (404, "text/plain", {"status": 404, "code": "not_found"}),
        (404, None, {"status": 404, "code": "not_found"}),
        (404, "application/problem+json", {"status": 400, "code": "not_found"}),
        (404, "application/problem+json", {"status": 404, "code": ["not_found"]}),
        (404, "application/problem+json", ["not_found"]),
        (404, "application/problem+json", None),
    ],
)
def test_what_only_resembles_a_problem_is_no_verdict(status: int, content_type: str | None, body: object) -> None:
    assert verdict(status, content_type, body) is None


def test_a_problem_with_a_known_code_is_a_verdict() -> None:
    refused = verdict(404, "application/problem+json; charset=utf-8", {"status": 404, "code": "not_found"})
    assert isinstance(refused, NotFound)
    assert isinstance(refused, Refused)


def test_every_call_of_the_client_has_a_shape() -> None:
    for method, path in (("POST", "/jobs"), ("GET", "/jobs?name=a"), ("POST", "/claim"), ("POST", "/jobs/7/retry")):
        assert not is_expected(method, path, {})
    assert is_expected("GET", "/jobs/7/errors", [])
    assert not is_expected("GET", "/jobs/7/errors", {})
    assert not is_expected("POST", "/jobs/7/phases/a%20b/report", {"results": [], "phase": None})
