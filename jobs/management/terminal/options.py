"""What `manage.py jobs` understands: its subcommands and their options."""

from __future__ import annotations

from argparse import ArgumentTypeError, _SubParsersAction
from typing import Any

from django.core.management.base import CommandParser

from jobs.rules.statuses import JobStatus

ORDERINGS = ("-updated_at", "updated_at", "-created_at", "created_at", "name", "-name")
MOST = 1000
ACTS = {
    "retry": "failed items become pending: all of the job, or those that are named",
    "release": "held items without a live lease become pending",
    "skip": "items count as done without work",
    "force-complete": "open and failed phases are completed with what they have; needs --reason",
    "fail": "the job is given up; a restart opens it again",
    "cancel": "nothing more is taken or told",
    "pause": "nothing new is claimed",
    "resume": "a paused job goes on",
    "threshold": "change how many percent complete a phase",
    "restart": "a new run of a phase and of the gated ones after it",
}


def add_options(parser: CommandParser) -> None:
    """The subcommands: three that read, one for the tracker's figures, and the acts."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show|watch|report|ACT")
    _add_list(verbs)
    _reader(verbs, "show", "one job: its phases and its failures")
    watch = _reader(verbs, "watch", "follow a job until it is over; exit 0 where it completed, else 1")
    watch.add_argument("--interval", type=_interval, default=1.0, metavar="SECONDS", help="between looks, 0.1 to 60")
    _reader(verbs, "report", "the figures of a job and of each of its splits, as a text")
    for name, what in ACTS.items():
        _add_act(verbs, name, what)


def _add_list(verbs: _SubParsersAction[Any]) -> None:
    parser = verbs.add_parser("list", help="jobs, the latest change first")
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
    parser.add_argument("--limit", type=_limit, default=50, help=f"at most so many, 1 to {MOST}; default %(default)s")
    _add_json(parser)


def _reader(verbs: _SubParsersAction[Any], name: str, what: str) -> CommandParser:
    parser: CommandParser = verbs.add_parser(name, help=what)
    parser.add_argument("job", help="its id or its name")
    _add_json(parser)
    return parser


def _add_act(verbs: _SubParsersAction[Any], name: str, what: str) -> None:
    parser = _reader(verbs, name, what)
    if name in ("threshold", "restart"):
        parser.add_argument("phase", help="the code of the phase")
    if name == "threshold":
        parser.add_argument("threshold", type=_percentage, metavar="PERCENT")
    if name == "restart":
        parser.add_argument("--only", choices=["all", "failed"], default="all", help="which items; default %(default)s")
    if name in ("retry", "release", "force-complete"):
        parser.add_argument("--phase", default="", metavar="CODE", help="only this phase")
    if name in ("retry", "release", "skip"):
        parser.add_argument("--item", type=_id, action="append", dest="ids", metavar="ID", help="this item; repeatable")
        parser.add_argument("--key", action="append", dest="keys", help="the item of this key; repeatable")
    if name == "retry":
        parser.add_argument(
            "--error",
            default="",
            dest="error_signature",
            metavar="SENTENCE",
            help="the error of one of them",
        )
    if name == "release":
        parser.add_argument("--all", action="store_true", help="also those whose lease is live")
    parser.add_argument("--reason", default="", help="why; it is kept in the timeline")
    parser.add_argument("--as", dest="username", metavar="USERNAME", help="the account that acts, with its permissions")


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
