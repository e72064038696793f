"""Parsers of callers' texts: their processor time grows at most like the text, whatever the text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from asgiref.sync import async_to_sync
from django.http import QueryDict, parse_cookie
from django.test import RequestFactory
from progress_client import answers, backoff, job_watch, records
from progress_client.command import tables
from rest_framework.request import Request

from jobs import contracts
from jobs.api import badge_links, base, requests
from jobs.api.cursor_pagination import _read
from jobs.api.query_params import JobQuery
from jobs.api.request_decoding import decode_query
from jobs.console.acts.forms import ActForm
from jobs.console.items.filters import filters_of, narrowed
from jobs.console.job import badge_image
from jobs.live import client_messages
from jobs.live.socket import ticket_of
from jobs.models import Event, Item, Job
from jobs.operations.registry import ACTS
from jobs.outbox import webhooks
from jobs.outbox.routing import wants
from jobs.outbox.url_policy import check_url
from jobs.rules import error_fingerprints, formatting, names, progress, strict_json
from jobs.rules.errors import Refused
from jobs.rules.limits import ERROR_LENGTH, TEMPLATE_LENGTH
from progress_site import forwarded_headers, log_config
from progress_site.asgi_middleware import HEADER_BYTES, HeaderLimit
from progress_site.sqlite3.base import fold
from tests.plan import size

MIB = 1024 * 1024
LARGEST = size(MIB // 8, full=MIB)
# Of a query string and of a header, in uvicorn; Daphne accepts less.
LINE = 64 * 1024
# Plain JSON of 1 MiB takes about 10 ms on a machine at rest, so that 20 times as long is 0.2 s there.
MOST_TIMES_PLAIN = 20
# Twice the text may take three times as long; less than this share of plain JSON is not measured.
MOST_GROWTH, NOISE = 3, 0.5


@dataclass(frozen=True)
class Case:
    """A parser, a text of a given size that is hard for it, and the largest size that reaches it."""

    name: str
    parse: Callable[[Any], object]
    make: Callable[[int], Any]
    largest: int = LARGEST


def json_of(text: bytes) -> bytes:
    """Return an object whose parser has to look at every text and number."""
    return b'{"escaped":"\\\\u0000","values":' + text + b"}"


def names_of(count: int) -> bytes:
    return b",".join(b'"key-%d":0' % number for number in range(count))


def texts(piece: str, *, length: int) -> Callable[[int], list[str]]:
    """Make different texts of this length from a repeated piece."""

    def make(size: int) -> list[str]:
        numbers = (str(number).translate(LETTERS) for number in range(size // length))
        return [f"{number} {piece * length}"[:length] for number in numbers]

    return make


LETTERS = str.maketrans("0123456789", "ghijklmnop")


def each(parse: Callable[[str], object]) -> Callable[[Iterable[str]], object]:
    return lambda given: [parse(text) for text in given]


def signatures(errors: list[str]) -> None:
    error_fingerprints._signature.cache_clear()
    error_fingerprints._reduced.cache_clear()
    each(error_fingerprints.signature)(errors)


def through_headers(header: tuple[bytes, bytes]) -> None:
    """Pass a header through the limit, and read what is left as Django does."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        parse_cookie(headers.get(b"cookie", b"").decode("latin1"))
        RequestFactory().post("/", b"{}", content_type=headers.get(b"content-type", b"").decode("latin1"))

    async def ignore(_: Any) -> None:
        return None

    async_to_sync(HeaderLimit(application))({"type": "http", "headers": [header]}, ignore, ignore)  # type: ignore[arg-type]


def header(name: bytes, piece: bytes, *, before: bytes = b"") -> Callable[[int], tuple[bytes, bytes]]:
    return lambda size: (name, (before + piece * size)[: size - len(name) - 1])


def address_of(hops: str) -> None:
    scope = {"type": "http", "client": ("127.0.0.1", 4711), "headers": [(b"x-forwarded-for", hops.encode("latin-1"))]}
    forwarded_headers.forwarded(scope)


def queried(text: str) -> None:
    decode_query(Request(RequestFactory().get("/", QUERY_STRING=text)), JobQuery)


def converted(body: dict[str, Any]) -> None:
    msgspec.convert(body, requests.JobInput)


def typed_name(name: str) -> None:
    ActForm({"reason": "", "name": name}, act=next(act for act in ACTS.values() if act.grave), phrase="job").is_valid()


def frames(size: int) -> dict[str, Any]:
    frame = {"frame_id": "", "ts": "x"}
    return {"job_id": "a", "event_id": "x", "video_id": "", "frames": [frame] * (size // 40)}


def marks(size: int) -> str:
    return "a" + "\u0327\u0301" * (size // 4)


def journal(beginning: bytes, end: bytes) -> Callable[[int], bytes]:
    return lambda size: beginning * (size // 2 // len(beginning)) + end * (size // 2 // len(end))


CHECKSUM = b',"crc":"00000000"}'
NORMALIZED = {
    "names": lambda text: names.clean(text, field="name"),
    "formatting": formatting.normalized,
    "fold": fold,
    "form": typed_name,
}
ERRORS = ["word ", "1a", "a.png:1", "'a b.png' ", "'/a a a a", '1f"/', "a1'e", "/", "\\", "'", "`", ".", "1,", "a-1"]
ERRORS += ["a://'", "1.1e1", "a:/'", "@a.", "(0xpng(e1", "#", "…'…", "'0x.pnga:a1"]

CASES = [
    Case(
        "json: a key occurs twice, at the end",
        strict_json.parsed,
        lambda n: b'{"a":{%s,"a":1,"a":1}}' % names_of(n // 13),
    ),
    Case("json: numbers", strict_json.parsed, lambda n: json_of(b"[" + b"1," * (n // 2) + b"1]")),
    Case(
        "json: a fault at the end",
        strict_json.parsed,
        lambda n: json_of(b"[" + b"1," * (n // 2) + b"9007199254740993]"),
    ),
    Case("json: lists", strict_json.parsed, lambda n: json_of(b"[" + b"[]," * (n // 3) + b"1]")),
    Case(
        "json: long paths",
        strict_json.parsed,
        lambda n: json_of(b'{"%s":' % (b"x" * 100) * 20 + b"[" + b"1," * (n // 2) + b"1]" + b"}" * 20),
    ),
    Case("json: one number", strict_json.parsed, lambda n: b'{"a":' + b"9" * n + b"}"),
    Case("json: one fraction", strict_json.parsed, lambda n: b'{"a":0.' + b"9" * n + b"}"),
    Case(
        "json: long numbers", strict_json.parsed, lambda n: json_of(b"[" + (b"9" * 4000 + b",") * (n // 4001) + b"1]")
    ),
    Case("json: exponents", strict_json.parsed, lambda n: b'{"a":[' + b"9.9e-309," * (n // 9) + b"1]}"),
    Case("json: depth", strict_json.parsed, lambda n: b'{"a":' * (n // 5)),
    Case("json: escapes", strict_json.parsed, lambda n: b'{"a":"' + b"\\u00e9" * (n // 6) + b'"}'),
    Case("json: lines before an error", strict_json.parsed, lambda n: b"{" + b"\n" * n),
    Case(
        "bytes that are no text",
        lambda raw: strict_json.storable(raw.decode(errors="surrogateescape")),
        lambda n: b"\xff" * n,
    ),
    Case("body: unknown fields", converted, lambda n: {f"k{k}": 0 for k in range(n // 8)}),
    Case("contract: faults in each frame", lambda data: contracts.check("videos.keyframes.ready.batch", data), frames),
    Case(
        "contract: unknown fields",
        lambda data: contracts.check("products.images.ready.batch", data),
        lambda n: {f"k{k}": 0 for k in range(n // 8)},
    ),
    *[Case(f"error: {piece!r}", signatures, texts(piece, length=ERROR_LENGTH), LARGEST // 2) for piece in ERRORS],
    Case(
        "stage",
        each(lambda text: progress.stage(text, progress.Counts(expected=2**53))),
        texts("{expected}{done", length=TEMPLATE_LENGTH),
    ),
    *[Case(f"marks: {name}", parse, marks) for name, parse in NORMALIZED.items()],
    Case("marks: in many names", each(names.plain), lambda n: [marks(400)] * (n // 400)),
    Case(
        "name: a forbidden character at the end",
        lambda text: names.clean(text, field="name"),
        lambda n: "é" * (n // 2) + "\0",
    ),
    Case(
        "types of an endpoint",
        lambda types: wants(types, project="", event=Event(type="a" * 120)),
        lambda n: ["*a" * 59 + "b"] * (n // 120),
    ),
    Case("address of an endpoint", check_url, lambda n: "https://[" + ":" * n),
    Case(
        "websocket: a message",
        client_messages.decode,
        lambda n: '{"type":"sync","revisions":{' + ",".join(f'"{k}":1' for k in range(n // 8)) + "}}",
    ),
    Case(
        "websocket: a ticket",
        lambda query: ticket_of({"query_string": query}),
        lambda n: b"ticket=" + b"%c3&" * (n // 4),
        LINE,
    ),
    Case("query", queried, lambda n: "q=" + "%c3%a9" * (n // 6), LINE),
    Case("query: many fields", queried, lambda n: "&".join(f"a{k}=" for k in range(n // 8)), LINE),
    Case("cursor", lambda text: _read(text, model=Job, field="name"), lambda n: ":" * n, LINE),
    Case("badge", badge_links.job_of, lambda n: "." * n, LINE),
    Case(
        "badge: its text",
        lambda text: badge_image.width(badge_image.xml_safe(text)),
        lambda n: "\0" * (n // 2) + "語" * (n // 6),
    ),
    Case("user agent", base.USER_AGENT.fullmatch, lambda n: "progress_client/1 (" + "a " * (n // 2), LINE),
    Case("log: tickets", lambda text: log_config.TICKET.sub("…", text), lambda n: "?ticket=" * (n // 8)),
    Case(
        "filter of items",
        lambda text: narrowed(Item.objects.all(), {**filters_of(QueryDict()), "range": text}),
        lambda n: "1-" * (n // 2),
    ),
    Case("header: backslashes of a cookie", through_headers, header(b"cookie", b"\\", before=b'a="'), HEADER_BYTES),
    Case("header: many cookies", through_headers, header(b"cookie", b"a=b;"), HEADER_BYTES),
    Case("header: a media type", through_headers, header(b"content-type", b";", before=b'a/b;"'), HEADER_BYTES),
    Case("header: backslashes in a large cookie", through_headers, header(b"cookie", b"\\"), LINE),
    Case("header: addresses of proxies", address_of, lambda n: "10.0.0.1," * (n // 9), LINE),
    Case("webhook: Retry-After", webhooks._pause, lambda n: "1 " * (n // 2)),
    Case(
        "webhook: an answer", lambda text: webhooks._judged(500, text, retry_after=None), lambda n: b"\xff " * (n // 2)
    ),
    Case("client: Retry-After", backoff.retry_after, lambda n: "Mon, 1 Jan 1:" + ":" * n),
    Case("client: an answer", answers.decode, lambda n: b"[" * n),
    Case(
        "client: lines of an event",
        lambda raw: list(job_watch.messages(raw.splitlines(keepends=True))),
        lambda n: b"data: 1,\n" * (n // 9),
    ),
    Case(
        "client: a cell of a table",
        lambda text: tables.cut(tables.clean(text), 1 << 30),
        lambda n: "e\u0301" * (n // 3),
    ),
    Case("client: beginnings of lines", records.parse, journal(b'{"n":', CHECKSUM)),
    Case("client: lines without breaks", records.parse, lambda n: b'{"n":1%s' % CHECKSUM * (n // 24)),
]


def seconds(parse: Callable[[Any], object], given: Any) -> float:
    """Return the processor time of this thread for one call, the best of two; a refusal is an answer."""
    best = float("inf")
    for _ in range(2):
        begun = time.thread_time()
        with suppress(Refused, strict_json.Malformed, msgspec.ValidationError):
            parse(given)
        best = min(best, time.thread_time() - begun)
    return best


def plain() -> float:
    """Return the time for plain JSON of the largest size, measured now: the machine may be busy."""
    return seconds(
        strict_json.parsed, b'{"a":[' + b'{"key":"item-1234","status":"completed"},' * (LARGEST // 41) + b"0]}"
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_time_grows_at_most_like_the_text(case: Case) -> None:
    measure = plain()
    half, whole = (seconds(case.parse, case.make(size)) for size in (case.largest // 2, case.largest))
    assert whole <= MOST_TIMES_PLAIN * measure
    assert whole <= MOST_GROWTH * half + NOISE * measure
