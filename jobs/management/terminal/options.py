"""Subcommands of `manage.py jobs` and their options."""

from __future__ import annotations

from argparse import ArgumentTypeError, _SubParsersAction
from collections.abc import Callable
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from jobs.operations import ACTS, Operation
from jobs.operations.arguments import number_or_none
from jobs.rules.limits import LARGEST_INTEGER
from jobs.rules.statuses import JobStatus

ORDERINGS = ("-updated_at", "updated_at", "-created_at", "created_at", "name", "-name", "priority", "-priority")
MAX_LIMIT = 1000


def add_options(parser: CommandParser) -> None:
    """Add the subcommands: three that read, one for the tracker's figures, and the acts."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show|watch|report|ACT")
    _add_list(verbs)
    _reader(verbs, "show", "show one job: its phases and its failures")
    watch = _reader(verbs, "watch", "watch a job until it is over; exit 0 if it completed, else 1")
    watch.add_argument(
        "--interval", type=_interval, default=1.0, metavar="SECONDS", help="seconds between two queries, 0.1 to 60"
    )
    _reader(verbs, "report", "print the figures of a job and of each of its splits")
    for act in ACTS.values():
        _add_act(verbs, act)


def _add_list(verbs: _SubParsersAction[Any]) -> None:
    parser = verbs.add_parser("list", help="list jobs, the latest change first")
    parser.add_argument("--status", choices=[status.value for status in JobStatus])
    parser.add_argument("--kind")
    parser.add_argument("--project")
    parser.add_argument("--name", help="the job of exactly this name")
    parser.add_argument("--q", metavar="TEXT", help="jobs whose name contains this")
    parser.add_argument("--stuck", action="store_true", help="only jobs that will not finish by themselves")
    parser.add_argument("--late", action="store_true", help="only unfinished jobs after their due time")
    parser.add_argument("--partial", action="store_true", help="only jobs that finished partial")
    parser.add_argument(
        "--ordering", choices=ORDERINGS, default=ORDERINGS[0], metavar="FIELD", help="default %(default)s"
    )
    parser.add_argument(
        "--limit", type=_limit, default=50, help=f"maximum number of jobs, 1 to {MAX_LIMIT}; default %(default)s"
    )
    _add_json(parser)


def _reader(verbs: _SubParsersAction[Any], name: str, what: str) -> CommandParser:
    parser: CommandParser = verbs.add_parser(name, help=what)
    parser.add_argument("job", help="its id or its name")
    _add_json(parser)
    return parser


def _add_act(verbs: _SubParsersAction[Any], act: Operation) -> None:
    parser = _reader(verbs, act.name, act.help)
    for field in act.fields:
        _add_argument(parser, field)
    parser.add_argument("--as", dest="username", metavar="USERNAME", help="act as this account, with its permissions")


def _add_argument(parser: CommandParser, field: Any) -> None:
    """Add the option of one argument of an act: the common ones by their name, others by their type."""
    if field.name in NAMED:
        NAMED[field.name](parser, field)
        return
    option = "--" + field.name.replace("_", "-")
    match field.type:
        case msgspec.inspect.LiteralType(values=values):
            parser.add_argument(option, choices=values, default=field.default, help="default %(default)s")
        case msgspec.inspect.BoolType():
            parser.add_argument(option, action="store_true", dest=field.name)
        case kind if bounds := number_or_none(kind):
            parser.add_argument(
                option, type=_number_or_none(bounds), dest=field.name, required=field.required, metavar="NUMBER|none"
            )
        case kind:
            number = int if _is_integer(kind) else str
            default = None if field.required else field.default
            parser.add_argument(option, type=number, dest=field.name, required=field.required, default=default)


def _is_integer(kind: Any) -> bool:
    if isinstance(kind, msgspec.inspect.UnionType):
        return any(map(_is_integer, kind.types))
    return isinstance(kind, msgspec.inspect.IntType)


def _add_phase(parser: CommandParser, field: Any) -> None:
    if field.required:
        parser.add_argument("phase", help="the code of the phase")
    else:
        parser.add_argument("--phase", default="", metavar="CODE", help="only this phase")


def _add_items(parser: CommandParser, field: Any) -> None:
    parser.add_argument("--item", type=_id, action="append", dest="ids", metavar="ID", help="this item; repeatable")
    parser.add_argument("--key", action="append", dest="keys", help="the item of this key; repeatable")


def _add_signature(parser: CommandParser, field: Any) -> None:
    what = "only items with this error"
    parser.add_argument("--error", default="", dest="error_signature", metavar="SENTENCE", help=what)


NAMED: dict[str, Callable[[CommandParser, Any], Any]] = {
    "reason": lambda parser, field: parser.add_argument(
        "--reason", default="", help="reason, which is recorded in the timeline"
    ),
    "phase": _add_phase,
    "items": _add_items,
    "error_signature": _add_signature,
    "all": lambda parser, field: parser.add_argument(
        "--all", action="store_true", help="include items under a live lease"
    ),
    "priority": lambda parser, field: parser.add_argument("priority", type=int, help="-100 to 100"),
    "threshold": lambda parser, field: parser.add_argument("threshold", type=_percentage, metavar="PERCENT"),
}


def _add_json(parser: CommandParser) -> None:
    parser.add_argument(
        "--json", action="store_true", dest="as_json", help="print the JSON of the REST API, for scripts"
    )


def _interval(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 60:
        raise ArgumentTypeError("Enter 0.1 to 60 seconds")
    return value


def _limit(text: str) -> int:
    return _whole(text, least=1, most=MAX_LIMIT)


def _percentage(text: str) -> int:
    return _whole(text, least=0, most=100)


def _number_or_none(bounds: msgspec.inspect.IntType) -> Callable[[str], int | None]:
    def parse(text: str) -> int | None:
        return None if text == "none" else _whole(text, least=bounds.ge or 0, most=bounds.le or LARGEST_INTEGER)

    return parse


def _id(text: str) -> int:
    return _whole(text, least=1, most=LARGEST_INTEGER)


def _whole(text: str, *, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ArgumentTypeError(f"Enter a whole number from {least} to {most}")
    return int(text)
