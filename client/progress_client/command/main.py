"""`progress`: parse, make one call, print, and say by the exit code how it went."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any

from progress_client.client import Client
from progress_client.command import renderers
from progress_client.command.options import parser
from progress_client.command.tables import clean
from progress_client.command.terminal import Terminal
from progress_client.errors import NotFound, ProgressError, Refused, WrongState
from progress_client.job import Job

OK, FAILED, USAGE, NOT_FOUND, WRONG_STATE = range(5)
INTERRUPTED, NO_READER = 130, 141
FILTERS = ("status", "kind", "project", "name", "q", "stuck", "partial", "ordering")
ARGUMENTS = ("phase", "error_signature", "all", "threshold", "only")
METHODS = {"force-complete": "force_complete", "fail": "give_up"}


class Usage(Exception):
    """The arguments make no sense together."""


def run() -> None:
    """The command."""
    raise SystemExit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; the exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="progress: %(message)s", level=logging.WARNING)
    if not options.token:
        return complain("A token is needed: --token or PROGRESS_TOKEN.", USAGE)
    try:
        with Client(options.url, token=options.token, patience=options.patience) as client:
            return act(client, options, Terminal(as_json=options.as_json))
    except (ProgressError, Usage) as error:
        return complain(str(error), code_of(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is buffered still has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_READER


def complain(sentence: str, code: int) -> int:
    """Say what is wrong, on stderr."""
    sys.stderr.write(f"progress: {clean(sentence)}\n")
    return code


def code_of(error: Exception) -> int:
    """The exit code that an error means."""
    if isinstance(error, Usage) or (isinstance(error, Refused) and error.status == 400):
        return USAGE
    if isinstance(error, NotFound):
        return NOT_FOUND
    return WRONG_STATE if isinstance(error, WrongState) else FAILED


def act(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """One sub-command."""
    if options.verb == "list":
        return listed(client, options, terminal)
    if options.verb == "replay":
        return replayed(client, options, terminal)
    if options.verb == "refused":
        return refused(client, terminal)
    job = client.named(options.job)
    if options.verb == "show":
        return shown(job, terminal)
    return watched(job, terminal) if options.verb == "watch" else acted(job, options, terminal)


def listed(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """`progress list`"""
    query = {name: value for name in FILTERS if (value := getattr(options, name)) is not None}
    found = [job.body for job in islice(client.jobs(**query), options.limit + 1)]
    bodies = found[: options.limit]
    if terminal.as_json:
        terminal.dump(bodies)
    elif bodies:
        terminal.say(renderers.job_list(bodies, terminal.look))
    else:
        complain("There is no such job.", OK)
    if len(found) > len(bodies):
        complain("There are more; --limit shows them.", OK)
    return OK


def shown(job: Job, terminal: Terminal) -> int:
    """`progress show`"""
    errors = job.errors()
    if terminal.as_json:
        terminal.dump({**job.body, "errors": errors})
    else:
        terminal.say(renderers.job(job.body, errors, terminal.look))
    return OK


def watched(job: Job, terminal: Terminal) -> int:
    """`progress watch`"""
    try:
        for body in job.watch():
            terminal.move(body)
    finally:
        terminal.rest()
    return OK if job.status == "completed" else FAILED


def acted(job: Job, options: argparse.Namespace, terminal: Terminal) -> int:
    """An act of an operator."""
    given: dict[str, Any] = {name: getattr(options, name, None) for name in ARGUMENTS}
    given = {name: value for name, value in given.items() if value is not None}
    if options.verb in ("retry", "release", "skip"):
        given["items"] = named_items(job, ids=options.ids, keys=options.keys)
    if options.verb == "skip" and not given["items"]:
        raise Usage("Name the items to skip, with --item or --key.")
    answer = getattr(job, METHODS.get(options.verb, options.verb))(**given, reason=options.reason)
    if terminal.as_json:
        terminal.dump(answer)
    else:
        terminal.say(renderers.act(answer, terminal.look))
        for row in answer["refused"]:
            complain(renderers.refusal(row), OK)
    return WRONG_STATE if answer["refused"] and not answer["changed"] else OK


def named_items(job: Job, *, ids: Sequence[int] | None, keys: Sequence[str] | None) -> list[int] | None:
    """The ids of the items that are named by their ids or keys; None where none is."""
    if ids is None and keys is None:
        return None
    found = list(ids or ())
    for key in keys or ():
        rows = [row for phase in job.body["phases"] for row in job.items(phase=phase["code"], q=key)]
        same = [row["id"] for row in rows if row["key"] == key]
        if not same:
            raise NotFound(404, {"detail": f"Job {job.name} has no item {key}."})
        found += same
    return found


def replayed(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """`progress replay`"""
    is_told = client.replay(refused=options.refused, patience=options.patience)
    if terminal.as_json:
        terminal.dump({"told": is_told})
    else:
        terminal.say(["Nothing waits any more." if is_told else "Some wait still: the server does not answer."])
    return OK if is_told else FAILED


def refused(client: Client, terminal: Terminal) -> int:
    """`progress refused`"""
    rows = client.refused
    if terminal.as_json:
        terminal.dump(rows)
    elif rows:
        terminal.say([clean(_refused_line(row)) for row in rows])
    else:
        complain("Nothing was refused.", OK)
    return OK


def _refused_line(row: dict[str, Any]) -> str:
    what = row.get("key") or "a count"
    return f"{row.get('at')}  job {row.get('job')}  {row.get('phase')}  {what}: {row.get('code')}. {row.get('detail')}"
