"""Entry point of `progress`: parse the arguments, make one request, print the result, set the exit code."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from progress_client.client import Client
from progress_client.command import incidents, renderers, scripts
from progress_client.command.options import UsageError, parser
from progress_client.command.tables import clean
from progress_client.command.terminal import Terminal
from progress_client.errors import NotFound, ProgressError, Refused, WrongState
from progress_client.job import Job

OK, FAILED, USAGE, NOT_FOUND, WRONG_STATE = range(5)
INTERRUPTED, NO_READER = 130, 141
FILTERS = ("status", "kind", "project", "name", "q", "stuck", "late", "partial", "ordering")
RETRIES = ("retries", "retry_delay", "retry_delay_max")
LIMITS = ("priority", "max_leased", "undelivered")
ARGUMENTS = (
    "phase", "error_signature", "all", "threshold", "due_at", "expected_seconds", "only", "worker", *RETRIES, *LIMITS
)  # fmt: skip
COMMANDS = {"run": "make all", "each": "gzip -k {} < list"}
METHODS = {"force-complete": "force_complete", "fail": "give_up"}


def run() -> None:
    """Run the command and exit."""
    raise SystemExit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments; return the exit code."""
    options = parse(arguments)
    logging.basicConfig(format="progress: %(message)s", level=logging.WARNING)
    try:
        if not options.token:
            raise UsageError("A token is required: set --token or PROGRESS_TOKEN.")
        with Client(options.url, token=options.token, retry_for=options.retry_for) as client:
            return dispatch(client, options, Terminal(as_json=options.as_json))
    except (ProgressError, UsageError) as error:
        return print_error(str(error), scripts.NOT_STARTED if options.verb == "run" else code_of(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Buffered output would raise the error again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_READER


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments. Words after `--` are the command of `run` and `each`, in `options.command`."""
    given, made = list(arguments), parser()
    takes_command = "--" in given and not COMMANDS.keys().isdisjoint(given[: given.index("--")])
    at = given.index("--") if takes_command else len(given)
    options = made.parse_args(given[:at])
    if options.verb in COMMANDS:
        options.command = [word for word in (getattr(options, "words", None),) if word] + given[at + 1 :]
        if not options.command:
            made.error(f"{options.verb} needs a command: progress {options.verb} -- {COMMANDS[options.verb]}")
    return options


def print_error(sentence: str, code: int) -> int:
    """Print a message on stderr and return the exit code."""
    sys.stderr.write(f"progress: {clean(sentence)}\n")
    return code


def code_of(error: Exception) -> int:
    """Return the exit code of an error."""
    if isinstance(error, UsageError) or (isinstance(error, Refused) and error.status == 400):
        return USAGE
    if isinstance(error, NotFound):
        return NOT_FOUND
    return WRONG_STATE if isinstance(error, WrongState) else FAILED


def dispatch(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run one sub-command."""
    if options.verb in WITHOUT_JOB:
        return WITHOUT_JOB[options.verb](client, options, terminal)
    job = client.named(options.job)
    return WITH_JOB.get(options.verb, run_act)(job, options, terminal)


def list_jobs(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run `progress list`."""
    query = {name: value for name in FILTERS if (value := getattr(options, name)) is not None}
    found = [job.body for job in islice(client.jobs(**query), options.limit + 1)]
    bodies = found[: options.limit]
    if terminal.as_json:
        terminal.print_json(bodies)
    elif bodies:
        terminal.print_lines(renderers.job_list(bodies, terminal.style))
    else:
        print_error("No jobs match.", OK)
    if len(found) > len(bodies):
        print_error("There are more jobs; raise --limit to list them.", OK)
    return OK


def show_job(job: Job, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run `progress show`."""
    errors = job.errors()
    if terminal.as_json:
        terminal.print_json({**job.body, "errors": errors})
    else:
        terminal.print_lines(renderers.job(job.body, errors, terminal.style))
    return OK


def watch_job(job: Job, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run `progress watch`."""
    try:
        for body in job.watch():
            terminal.show_state(body)
    finally:
        terminal.restore_cursor()
    return OK if job.status == "completed" else FAILED


def send_heartbeat(job: Job, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run `progress heartbeat`."""
    answer = job.heartbeat(worker=options.worker, message=options.message, progress=options.progress)
    if terminal.as_json:
        terminal.print_json(answer)
    else:
        count = len(answer["leases"])
        terminal.print_lines([f"{count} lease{'' if count == 1 else 's'} renewed; the job is {answer['job_status']}."])
    return OK


def fill(job: Job, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run `progress add`, `announce`, `count` or `finish`."""
    answer = scripts.VERBS[options.verb](job, options)
    if terminal.as_json:
        terminal.print_json(answer)
    else:
        terminal.print_lines([scripts.said(options.verb, answer)])
    return OK


def run_act(job: Job, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run an operator act."""
    given: dict[str, Any] = {name: getattr(options, name, None) for name in ARGUMENTS}
    given = {name: value for name, value in given.items() if value is not None}
    if options.verb == "limit":
        given["max_leased"] = options.max_leased
    if options.verb in ("retry", "release", "skip"):
        given["items"] = find_items(job, ids=options.ids, keys=options.keys)
    if options.verb == "skip" and not given["items"]:
        raise UsageError("Name the items to skip with --item or --key.")
    answer = getattr(job, METHODS.get(options.verb, options.verb))(**given, reason=options.reason)
    if terminal.as_json:
        terminal.print_json(answer)
    else:
        terminal.print_lines(renderers.act(answer, terminal.style))
        for row in answer["refused"]:
            print_error(renderers.refusal(row), OK)
    return WRONG_STATE if answer["refused"] and not answer["changed"] else OK


def find_items(job: Job, *, ids: Sequence[int] | None, keys: Sequence[str] | None) -> list[int] | None:
    """Return the ids of the items named by id or key; None if no item is named."""
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


def run_incidents(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run `progress incidents`."""
    for sentence in incidents.run(client, options, terminal):
        print_error(sentence, OK)
    return OK


def replay(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run `progress replay`."""
    is_sent = client.replay(refused=options.refused, timeout=options.retry_for)
    if terminal.as_json:
        terminal.print_json({"told": is_sent})
    else:
        waiting = "Some outcomes are not sent: the server does not answer. Try again later."
        terminal.print_lines(["All outcomes are sent." if is_sent else waiting])
    return OK if is_sent else FAILED


def list_refused(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run `progress refused`."""
    rows = client.refused
    if terminal.as_json:
        terminal.print_json(rows)
    elif rows:
        terminal.print_lines([clean(_refused_line(row)) for row in rows])
    else:
        print_error("No outcomes were rejected.", OK)
    return OK


def _refused_line(row: dict[str, Any]) -> str:
    what = row.get("key") or "a count"
    return f"{row.get('at')}  job {row.get('job')}  {row.get('phase')}  {what}: {row.get('code')}. {row.get('detail')}"


WITHOUT_JOB: dict[str, Callable[[Client, argparse.Namespace, Terminal], int]] = {
    "list": list_jobs,
    "incidents": run_incidents,
    "replay": replay,
    "refused": list_refused,
    "run": scripts.run,
    "each": scripts.each,
    "create": scripts.create,
}
WITH_JOB: dict[str, Callable[[Job, argparse.Namespace, Terminal], int]] = {
    "show": show_job,
    "watch": watch_job,
    "heartbeat": send_heartbeat,
    **dict.fromkeys(scripts.VERBS, fill),
}
