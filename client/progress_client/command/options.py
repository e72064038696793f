"""Sub-commands and options of `progress`, the same as those of `manage.py jobs`."""

from __future__ import annotations

import argparse
import os
from typing import Any

from progress_client.command import incidents
from progress_client.command.script_options import add_script_verbs
from progress_client.command.whole_numbers import item_id, percentage, whole
from progress_client.session import DEFAULT_URL

STATUSES = ("pending", "processing", "paused", "completed", "failed", "cancelled")
ORDERINGS = ("-updated_at", "updated_at", "-created_at", "created_at", "name", "-name", "priority", "-priority")
CODES = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 wrong state."
MOST = 1000
METAVAR = "list|show|watch|incidents|heartbeat|replay|refused|run|each|create|add|announce|count|finish|ACT"
ACTS = {
    "retry": "make failed items pending: all of the job, or those that are named",
    "release": "make held items without a live lease pending",
    "lift": "let quarantined workers claim again",
    "skip": "count items as done without work",
    "pause": "stop new claims; watermarks keep the time they had left",
    "resume": "allow claims of a paused job again",
    "retries": "change how often failed items are retried by themselves",
    "threshold": "change how many percent complete a phase",
    "priority": "change which job is claimed first: -100 to 100, the highest first",
    "limit": "limit how many items of a phase are leased at once; `none` removes the limit",
    "due": "change the time at which an unfinished job is late; without a time, remove it",
    "restart": "start a new run of a phase and of the gated ones after it",
    "force-complete": "complete open and failed phases with what they have; needs --reason",
    "fail": "give the job up; a restart opens it again",
    "cancel": "cancel the job: no more claims, reports or completed events",
    "delete": "delete a job that is over with everything that belongs to it; needs --reason",
}
# The options that only one act has.
OWN_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "retry": ("--error", {"dest": "error_signature", "metavar": "SENTENCE", "help": "only items with this error"}),
    "lift": ("--worker", {"metavar": "NAME", "help": "only this worker"}),
    "release": ("--all", {"action": "store_true", "help": "also items with a valid lease"}),
    "priority": ("priority", {"type": int, "help": "-100 to 100"}),
    "delete": ("--undelivered", {"action": "store_true", "help": "also while events wait for their delivery"}),
}

Verbs = Any


class UsageError(Exception):
    """The arguments do not fit together."""


def parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    made = argparse.ArgumentParser(prog="progress", description="Jobs of a Progress Site.", epilog=CODES)
    url = os.environ.get("PROGRESS_URL") or DEFAULT_URL
    made.add_argument("--url", default=url, help="default: PROGRESS_URL, else %(default)s")
    made.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""), help="default: PROGRESS_TOKEN")
    made.add_argument(
        "--retry-for",
        "--patience",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="retry a server that does not answer for this long; default %(default)s",
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar=METAVAR)
    _add_list(verbs)
    _add(verbs, "show", "show one job with its phases and failures")
    _add(verbs, "watch", "follow a job until it ends; exit 0 if it completed, else 1")
    what = "list and show incidents, and work them off"
    incidents.add_verbs(verbs.add_parser("incidents", help=what, description=what, epilog=CODES))
    heartbeat = _add(verbs, "heartbeat", "send a heartbeat that renews the leases of a worker in a job")
    heartbeat.add_argument("--worker", required=True, help="the name under which the worker claims items")
    heartbeat.add_argument("--message", metavar="TEXT", help="the step that it is at")
    heartbeat.add_argument("--progress", type=percentage, metavar="PERCENT", help="how much of its item is done")
    replay = verbs.add_parser("replay", help="send the outcomes that workers left in the journal of this machine")
    replay.add_argument("--refused", action="store_true", help="also send rejected outcomes once more")
    replay.add_argument("--json", action="store_true", dest="as_json", help="for scripts")
    refused = verbs.add_parser("refused", help="list the outcomes of this machine's workers that the site has rejected")
    refused.add_argument("--json", action="store_true", dest="as_json", help="print the stored rows, for scripts")
    add_script_verbs(verbs)
    for name, what in ACTS.items():
        _add_act(verbs, name, what)
    return made


def _add_list(verbs: Verbs) -> None:
    made = verbs.add_parser("list", help="list jobs, the latest change first", epilog=CODES)
    made.add_argument("--status", choices=STATUSES)
    made.add_argument("--kind")
    made.add_argument("--project")
    made.add_argument("--name", help="the job of exactly this name")
    made.add_argument("--q", metavar="TEXT", help="jobs whose name contains this")
    made.add_argument("--stuck", action="store_const", const=True, help="only jobs that will not finish by themselves")
    made.add_argument("--late", action="store_const", const=True, help="only unfinished jobs after their due time")
    made.add_argument("--partial", action="store_const", const=True, help="only jobs that finished partial")
    made.add_argument("--ordering", choices=ORDERINGS, default=ORDERINGS[0], metavar="FIELD")
    made.add_argument("--limit", type=_limit, default=50, help=f"maximum number, 1 to {MOST}; default %(default)s")
    made.add_argument("--json", action="store_true", dest="as_json", help="the bodies of the REST API, for scripts")


def _add(verbs: Verbs, name: str, what: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=what, description=what, epilog=CODES)
    made.add_argument("job", help="its id or its name")
    made.add_argument("--json", action="store_true", dest="as_json", help="the bodies of the REST API, for scripts")
    return made


def _add_act(verbs: Verbs, name: str, what: str) -> None:
    made = _add(verbs, name, what)
    if name in OF_A_PHASE:
        made.add_argument("phase", help="the code of the phase")
        OF_A_PHASE[name](made)
    if name == "due":
        _add_due(made)
    if name in ("retry", "release", "lift", "force-complete"):
        made.add_argument("--phase", metavar="CODE", help="only this phase")
    if name in ("retry", "release", "skip"):
        made.add_argument(
            "--item", type=item_id, action="append", dest="ids", metavar="ID", help="this item; repeatable"
        )
        made.add_argument("--key", action="append", dest="keys", help="only the item of this key")
    if name in OWN_OPTIONS:
        option, described = OWN_OPTIONS[name]
        made.add_argument(option, **described)
    made.add_argument("--reason", default="", help="the reason, stored in the timeline")


def _add_threshold(made: argparse.ArgumentParser) -> None:
    made.add_argument("threshold", type=percentage, metavar="PERCENT")


def _add_due(made: argparse.ArgumentParser) -> None:
    made.add_argument("--due-at", metavar="TIME", help="such as 2026-11-21T18:00:00Z")
    made.add_argument("--expected-seconds", type=item_id, metavar="SECONDS", help="counted from the start of the job")


def _add_only(made: argparse.ArgumentParser) -> None:
    made.add_argument("--only", choices=["all", "failed"], default="all", help="which items; default %(default)s")


def _add_retries(made: argparse.ArgumentParser) -> None:
    made.add_argument("--retries", type=int, required=True, metavar="N", help="retries of each failed item, 0 to 100")
    made.add_argument("--retry-delay", type=int, metavar="SECONDS", help="the first delay; it doubles each time")
    made.add_argument("--retry-delay-max", type=int, metavar="SECONDS", help="the longest delay")


def _add_max_leased(made: argparse.ArgumentParser) -> None:
    made.add_argument("--max-leased", type=_most_leased, required=True, metavar="NUMBER|none")


OF_A_PHASE = {"limit": _add_max_leased, "retries": _add_retries, "threshold": _add_threshold, "restart": _add_only}


def _limit(text: str) -> int:
    return whole(text, least=1, most=MOST)


def _most_leased(text: str) -> int | None:
    return None if text == "none" else whole(text, least=1, most=1_000_000)
