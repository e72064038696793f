"""JSON bodies that both databases can store, and the errors for all others."""

from __future__ import annotations

import json

import pytest
from rest_framework.exceptions import ParseError

from jobs.rules.errors import BadInput
from progress_site.rest.parsers import parsed


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"a": [1, -9007199254740992, 9007199254740992, 1.5, 1e300, true, null]}',
        '{"a": "ä\U0001f600"}'.encode(),
        b'{"a": "\\ud83d\\ude00"}',
        b'{"a": "1234567890123456789012345"}',
        b'{"a": "\\\\u0000"}',
        b'{"a": ' + b"[" * 31 + b"]" * 31 + b"}",
        b' \n{"a": {"a": {"a": 1}}}\n',
    ],
)
def test_plain_json_is_taken_as_it_is(raw: bytes) -> None:
    assert parsed(raw) == json.loads(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": "\x00"}', "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[]", "JSON object"),
        (b"1", "JSON object"),
        (b"null", "JSON object"),
        (b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}", "32 levels"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "32 levels"),
        (b"[" * 50_000, "32 levels"),
        (b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "32 levels"),
    ],
)
def test_anything_else_is_refused_with_the_reason(raw: bytes, words: str) -> None:
    with pytest.raises(ParseError, match=words):
        parsed(raw)


@pytest.mark.parametrize(
    ("raw", "field", "words"),
    [
        (b'{"a": "x\\u0000y"}', "a", "NUL"),
        (b'{"a": {"x\\u0000": 1}}', "a.x\\0", "NUL"),
        (b'{"items": [{"key": "a"}, {"key": "\\ud800"}]}', "items[1].key", "surrogate"),
        (b'{"items": [{"\\udfff": 1}]}', "items[0].\\udfff", "surrogate"),
        (b'{"n": 9007199254740993}', "n", "2^53"),
        (b'{"n": [[-9007199254740993]]}', "n[0][0]", "2^53"),
        (b'{"n": 1, "m": {"b": 1, "b": 2}}', "b", "twice"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_field(raw: bytes, field: str, words: str) -> None:
    with pytest.raises(BadInput, match=words.replace("^", r"\^")) as refused:
        parsed(raw)
    assert list(refused.value.errors) == [field]
