"""Verbs for shell scripts: run a command as an item, run a command for each item of a list, create and fill jobs."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from progress_client.buffer import Address
from progress_client.client import Client
from progress_client.command import item_names
from progress_client.command.child_process import SIGNALLED, ChildProcesses, Ended
from progress_client.command.options import UsageError
from progress_client.command.terminal import Terminal
from progress_client.errors import ProgressError, Unavailable
from progress_client.file_listing import utf8
from progress_client.items import Item
from progress_client.job import Job

log = logging.getLogger("progress_client")

OK, FAILED, NOT_STARTED = 0, 1, 125
LONGEST_LABEL = 200
# Less than the server's default lease, so that a shorter default is renewed in time too.
SHORT_LEASE = 30.0
DONE = ("completed", "skipped")
CREATION = ("kind", "project", "threshold", "retries", "retry_delay", "priority", "expected_seconds")


# --- run -----------------------------------------------------------------------------------------


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run a command as one item; return its exit code. Without an answer of the site it runs unreported."""
    children = ChildProcesses()
    begun = time.monotonic()
    try:
        job, item = _taken(client, options)
    except Unavailable as error:
        log.warning("The command runs without a report: %s", error)
        return children.run(options.command, grouped=False, stdin=None, ends=lambda: False).code
    if item is None:
        return OK
    cancelled = client._session.cancelled
    ended = children.run(options.command, grouped=False, stdin=None, ends=lambda: job.id in cancelled)
    _report(item, ended, seconds=time.monotonic() - begun)
    return ended.code


def _taken(client: Client, options: argparse.Namespace) -> tuple[Job, Item | None]:
    """Create the job and take the item of this command; None if it is done already."""
    own = _own_name()
    [body] = item_names.items([options.key or own])
    body["label"] = utf8(shlex.join(options.command))[:LONGEST_LABEL]
    job = _job(client, options, options.command, [body], own)
    return job, _take(client, job, body["key"])


def _take(client: Client, job: Job, key: str) -> Item | None:
    """Take a named item. Another worker that holds it is an error; a failed one may succeed now."""
    job.report([{"key": key, "status": "processing"}])
    [row] = [row for row in job.items(q=key) if row["key"] == key]
    if row["status"] in DONE:
        log.warning("%s of job %s is %s already; the command is not run.", key, job.name, row["status"])
        return None
    address = Address(job.id, job.first_phase, client.worker)
    if row["status"] == "processing" and row["worker"] == client.worker:
        return client._session.lease_items([row], address=address, lease=SHORT_LEASE)[0]
    if row["status"] != "failed":
        held = f"is held by {row['worker']}" if row["worker"] else f"cannot be taken: the job is {job.refresh().status}"
        raise ProgressError(f"{key} of job {job.name} {held}; the command is not run.")
    return Item(row, job=job.id, phase=job.first_phase, worker=client.worker, sink=client._session)


def _report(item: Item, ended: Ended, *, seconds: float) -> None:
    if ended.tail:
        item.log(ended.tail)
    if ended.code:
        item.fail(ended.error)
    else:
        item.complete({"exit_code": 0, "seconds": round(seconds, 3)})


# --- each ----------------------------------------------------------------------------------------


def each(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """Run a command for each item of the list on stdin; 0 if none failed."""
    words = _words(options.command)
    names = item_names.split(sys.stdin.buffer.read(), nul=options.nul)
    job = _job(client, options, words, item_names.items(names), _own_name())
    children = ChildProcesses(on_signal=client.stop)
    errors: list[ProgressError] = []

    def work() -> None:
        try:
            for item in job.claim(batch=1, progress=False):
                _do(item, words, children, grouped=options.jobs > 1)
        except ProgressError as error:
            errors.append(error)
            client.stop()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(options.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # a join without a time limit would hold signals up
            thread.join(0.2)
    if errors:
        raise errors[0]
    return SIGNALLED + children.received if children.received else _sum(job)


def _do(item: Item, words: Sequence[str], children: ChildProcesses, *, grouped: bool) -> None:
    begun = time.monotonic()
    with item:
        command = item_names.filled(words, item_names.name_of(item.key, item.payload))
        ended = children.run(command, grouped=grouped, stdin=subprocess.DEVNULL, ends=lambda: item.lost)
        item.check()
        if children.received:
            item.give_back()
        else:
            _report(item, ended, seconds=time.monotonic() - begun)


def _sum(job: Job) -> int:
    """Print the counts of the phase; return the exit code."""
    [phase] = [phase for phase in job.refresh().body["phases"] if phase["code"] == job.first_phase]
    sys.stderr.write(
        f"progress: {phase['done'] + phase['skipped']} of {phase['expected']} done, {phase['failed']} failed;"
        f" job {job.id} {job.name!r} is {job.status}.\n"
    )
    return FAILED if phase["failed"] or job.status in ("failed", "cancelled") else OK


def _words(command: Sequence[str]) -> list[str]:
    """Split a command that was given as one text, as a shell would, but without a shell."""
    try:
        words = shlex.split(command[0]) if len(command) == 1 else list(command)
    except ValueError as error:
        raise UsageError(f"The command has an open quotation mark ({error}).") from error
    if not words:
        raise UsageError("Enter a command, such as: progress each 'gzip -k {}' < list")
    return words


# --- jobs and counts ------------------------------------------------------------------------------


def create(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    """Create a job, or find the job of this name; print its id."""
    codes = options.phases or ([] if options.expected is None else ["items"])
    phases = [{"code": code} for code in codes] or None
    if phases and options.expected is not None:
        phases[0]["expected"] = options.expected
    job = client.job(options.job, phases=phases, **_creation(options))
    if terminal.as_json:
        terminal.print_json(job.body)
    else:
        terminal.print_lines([str(job.id)])
    return OK


def add(job: Job, options: argparse.Namespace) -> Mapping[str, Any]:
    """Add items by their keys, or from a list on stdin."""
    names = options.keys or item_names.split(sys.stdin.buffer.read(), nul=options.nul)
    return job.add_items(item_names.items(names), phase=options.phase, reopen=options.reopen)


def announce(job: Job, options: argparse.Namespace) -> Mapping[str, Any]:
    """Announce the expected total of a phase."""
    return job.announce(options.expected, phase=options.phase)


def count(job: Job, options: argparse.Namespace) -> Mapping[str, Any]:
    """Add to the counts of a phase without items."""
    numbers = {name: getattr(options, name) for name in ("done", "failed", "skipped")}
    if not any(numbers.values()):
        raise UsageError("Count something: --done, --failed or --skipped.")
    return job.count(**numbers, phase=options.phase, event_id=options.event_id)


def finish(job: Job, options: argparse.Namespace) -> Mapping[str, Any]:
    """Finish a phase with its current counts, or declare its list complete."""
    return {"phase": job.finish(phase=options.phase)}


def said(verb: str, answer: Mapping[str, Any]) -> str:
    """Put the answer to add, announce, count or finish into a sentence."""
    if verb == "add":
        return f"{answer['added']} added, {answer['existing']} were there already."
    phase = answer["phase"]
    counts = f"{phase['done'] + phase['skipped']}/{'?' if phase['expected'] is None else phase['expected']} done"
    changed = "" if answer.get("applied", True) else "Nothing changed. "
    return f"{changed}Phase {phase['code']} is {phase['status']}: {counts}, {phase['failed']} failed."


VERBS: dict[str, Callable[[Job, argparse.Namespace], Mapping[str, Any]]] = {
    "add": add,
    "announce": announce,
    "count": count,
    "finish": finish,
}


def _own_name() -> str:
    """Return a name that no other process uses, and that says when and where it began."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {socket.gethostname()[:64]} {os.getpid()}"


def _job(
    client: Client, options: argparse.Namespace, words: Sequence[str], items: Sequence[dict[str, Any]], own: str
) -> Job:
    """Create a job, or find it and add items; without a name it is a new one, named after the command."""
    name = options.job or f"{utf8(Path(words[0]).name)[:100]} {own}"
    return client.job(name, items=items, reopen=True, **_creation(options))


def _creation(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name in CREATION if (value := getattr(options, name, None)) is not None}
