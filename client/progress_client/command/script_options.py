"""Options of the verbs for shell scripts: run, each, create, add, announce, count, finish."""

from __future__ import annotations

import argparse
from typing import Any

from progress_client.command.whole_numbers import number, percentage, whole

CODES = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 wrong state."
RUN_CODES = "Exit codes: that of the command, 128 + number after a signal, 125 if it was not started."
MOST_PARALLEL = 256
NUL = ("-0", "--null")


def add_script_verbs(verbs: Any) -> None:
    """Add the verbs to the parser of the command."""
    run = _add(verbs, "run", "run a command after `--` as one item: progress run --job backup -- tar …", RUN_CODES)
    run.add_argument("--key", help="key of the item in the job; default: time, host and process id")
    each = _add(verbs, "each", "run a command for each item of the list on stdin, {} replaced by its name", CODES)
    each.add_argument("words", nargs="?", metavar="COMMAND", help="in quotes, or as words after `--`")
    each.add_argument("-j", "--jobs", type=_parallel, default=1, metavar="N", help="commands at once; default 1")
    each.add_argument(*NUL, action="store_true", dest="nul", help="names end in NUL, as of `find -print0`")
    for made in (run, each):
        made.add_argument("--job", metavar="NAME", help="default: a new job named after the command")
        _add_creation(made)
    _add_job_verbs(verbs)


def _add_job_verbs(verbs: Any) -> None:
    create = _add(verbs, "create", "create a job, or find the job of this name, and print its id", CODES)
    create.add_argument("job", metavar="NAME")
    create.add_argument("--kind")
    create.add_argument("--phase", action="append", dest="phases", metavar="CODE", help="repeatable, in their order")
    create.add_argument("--expected", type=number, metavar="N", help="total of the first phase")
    _add_creation(create)
    add = _of_phase(verbs, "add", "add items by their keys, or from a list on stdin")
    add.add_argument("keys", nargs="*", metavar="KEY", help="default: one name a line on stdin")
    add.add_argument(*NUL, action="store_true", dest="nul", help="names on stdin end in NUL")
    add.add_argument("--reopen", action="store_true", help="new items of a finished phase start a new run")
    announce = _of_phase(verbs, "announce", "announce the expected total of a phase")
    announce.add_argument("expected", type=number, metavar="TOTAL")
    count = _of_phase(verbs, "count", "add to the counts of a phase without items")
    for name in ("done", "failed", "skipped"):
        count.add_argument(f"--{name}", type=number, default=0, metavar="N")
    count.add_argument("--event-id", metavar="UUID", help="the same counts with the same id are added once")
    finish = _of_phase(verbs, "finish", "finish a phase with its counts; of a phase with items the list is complete")
    for made in (create, add, announce, count, finish):
        made.add_argument("--json", action="store_true", dest="as_json", help="the bodies of the REST API")


def _add(verbs: Any, name: str, what: str, codes: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=what, description=what, epilog=codes)
    made.set_defaults(as_json=False)
    return made


def _of_phase(verbs: Any, name: str, what: str) -> argparse.ArgumentParser:
    made = _add(verbs, name, what, CODES)
    made.add_argument("job", help="its id or its name")
    made.add_argument("--phase", metavar="CODE", help="default: the first one")
    return made


def _add_creation(made: argparse.ArgumentParser) -> None:
    made.add_argument("--project")
    made.add_argument("--threshold", type=percentage, metavar="PERCENT", help="of successes that complete the job")
    made.add_argument("--retries", type=percentage, metavar="N", help="retries of each failed item, 0 to 100")
    made.add_argument("--retry-delay", type=number, metavar="SECONDS", help="the first delay; it doubles each time")
    made.add_argument("--priority", type=int, metavar="N", help="-100 to 100")
    made.add_argument("--expected-seconds", type=number, metavar="SECONDS", help="late after this time")


def _parallel(text: str) -> int:
    return whole(text, least=1, most=MOST_PARALLEL)
