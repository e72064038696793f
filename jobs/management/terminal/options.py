"""Subcommands and options of `manage.py jobs`."""

from __future__ import annotations

from argparse import ArgumentTypeError, _SubParsersAction
from collections.abc import Callable
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from jobs.operations import ACTS, Operation
from jobs.rules.statuses import JobStatus

ORDERINGS = ("-updated_at", "updated_at", "-created_at", "created_at", "name", "-name")
MOST = 1000


def add_options(parser: CommandParser) -> None:
    """Add the subcommands: readers and operator acts."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show|watch|report|ACT")
    _add_list(verbs)
    _reader(verbs, "show", "show one job with its phases and failures")
    watch = _reader(verbs, "watch", "follow a job until it ends; exit 0 if it completed, else 1")
    watch.add_argument("--interval", type=_interval, default=1.0, metavar="SECONDS", help="between queries, 0.1 to 60")
    _reader(verbs, "report", "print the counts of a job and of each split as text")
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
    parser.add_argument("--partial", action="store_true", help="only jobs that finished partial")
    parser.add_argument(
        "--ordering", choices=ORDERINGS, default=ORDERINGS[0], metavar="FIELD", help="default %(default)s"
    )
    parser.add_argument("--limit", type=_limit, default=50, help=f"maximum number, 1 to {MOST}; default %(default)s")
    _add_json(parser)


def _reader(verbs: _SubParsersAction[Any], name: str, what: str) -> CommandParser:
    parser: CommandParser = verbs.add_parser(name, help=what)
    parser.add_argument("job", help="its id or its name")
    _add_json(parser)
    return parser


def _add_act(verbs: _SubParsersAction[Any], act: Operation) -> None:
    parser = _reader(verbs, act.name, act.help)
    arguments: Any = msgspec.inspect.type_info(act.Arguments)
    for field in arguments.fields:
        _add_argument(parser, field)
    parser.add_argument("--as", dest="username", metavar="USERNAME", help="the account that acts, with its permissions")


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
        case kind:
            number = int if isinstance(kind, msgspec.inspect.IntType) else str
            parser.add_argument(option, type=number, dest=field.name, required=field.required)


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
        "--reason", default="", help="the reason, stored in the timeline"
    ),
    "phase": _add_phase,
    "items": _add_items,
    "error_signature": _add_signature,
    "all": lambda parser, field: parser.add_argument(
        "--all", action="store_true", help="also items with a valid lease"
    ),
    "threshold": lambda parser, field: parser.add_argument("threshold", type=_percentage, metavar="PERCENT"),
}


def _add_json(parser: CommandParser) -> None:
    parser.add_argument("--json", action="store_true", dest="as_json", help="the bodies of the REST API, for scripts")


def _interval(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 60:
        raise ArgumentTypeError("must be from 0.1 to 60 seconds")
    return value


def _limit(text: str) -> int:
    return _whole(text, least=1, most=MOST)


def _percentage(text: str) -> int:
    return _whole(text, least=0, most=100)


def _id(text: str) -> int:
    return _whole(text, least=1, most=2**53)


def _whole(text: str, *, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ArgumentTypeError(f"must be a whole number from {least} to {most}")
    return int(text)
