"""Arguments of the command line: jobs, items and accounts by name, and the style of the output."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from django.contrib.auth.models import User
from progress_client.command.tables import TerminalStyle

from jobs.change import Actor
from jobs.models import Item, Job
from jobs.models.items import digest
from jobs.models.jobs import JobQuerySet
from jobs.rules import names
from jobs.rules.errors import NotFound
from jobs.rules.formatting import normalized
from jobs.rules.limits import NAME_LENGTH

EXACT = ("status", "kind", "project", "name")
LARGEST_ID = 2**63 - 1


def find_job(wanted: str) -> Job:
    """Return the job of this id, else of this name; NotFound if there is neither."""
    is_id = wanted.isascii() and wanted.isdigit() and int(wanted) <= LARGEST_ID
    job = Job.objects.filter(pk=int(wanted)).first() if is_id else None
    job = job or _named(wanted.replace("\0", ""))
    if job is None:
        raise NotFound(f"There is no job {wanted!r}. List the jobs with: jobs list")
    return job


def _named(wanted: str) -> Job | None:
    """Return the job of exactly this name, else the one whose name differs only in composition and blanks."""
    found = {job.name: job for job in Job.objects.filter(name__in={wanted, normalized(wanted)})}
    return found.get(wanted) or next(iter(found.values()), None)


def find_items(job: Job, *, ids: Sequence[int] | None, keys: Sequence[str] | None) -> list[int] | None:
    """Return the ids of the named items; None if none is named, NotFound for a key that the job does not have."""
    if ids is None and keys is None:
        return None
    prints = {digest(key): key for key in keys or ()}
    phases = job.phases.values_list("pk", flat=True)
    rows = Item.objects.keyed(phases, prints).values_list("pk", "key_digest")
    found = list(rows.order_by("pk"))
    for missing in prints.keys() - {fingerprint for _, fingerprint in found}:
        raise NotFound(f"Job {job.name} has no item {prints[missing]!r}.")
    return [*(ids or ()), *(pk for pk, _ in found)]


def filtered_jobs(options: Mapping[str, Any]) -> JobQuerySet:
    """Return the jobs that fit the filters of `GET /jobs`, in the order of the list."""
    jobs = Job.objects.filter(**{name: names.plain(options[name]) for name in EXACT if options[name]})
    if options["partial"]:
        jobs = jobs.filter(partial=True)
    if options["stuck"]:
        jobs = jobs.stuck()
    if options["late"]:
        jobs = jobs.late()
    if options["q"]:
        jobs = jobs.filter(name__icontains=options["q"])
    ordering = options["ordering"]
    return jobs.order_by(ordering, "-id" if ordering.startswith("-") else "id")


def find_actor(username: str | None) -> Actor:
    """Return the account of this name as the actor; without a name the system, named after the user of the shell."""
    if username is None:
        return Actor(name=shell_user()[:NAME_LENGTH])
    account = User.objects.filter(username=username, is_active=True).first()
    if account is None:
        raise NotFound(f"There is no active account {username!r}. Name another one with --as.")
    return Actor(account=account)


def shell_user() -> str:
    """Return the user of this process, as far as the operating system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def terminal_style(out: Any, options: Mapping[str, Any]) -> TerminalStyle:
    """Return the style of this output: width and icons for a terminal, colours unless they are switched off."""
    terminal = is_terminal(out)
    unwanted = options["no_color"] or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    colour = options["force_color"] or (terminal and not unwanted)
    return TerminalStyle(width=shutil.get_terminal_size().columns if terminal else None, colour=colour, icons=terminal)


def set_output_encoding(out: Any, *, as_json: bool) -> None:
    """Set the encoding of the output: UTF-8 for JSON; a table shows `?` for characters that the terminal lacks."""
    reconfigure = getattr(out, "reconfigure", None)
    if reconfigure:
        reconfigure(**{"encoding": "utf-8"} if as_json else {"errors": "replace"})


def is_terminal(out: TextIO | Any) -> bool:
    """Is this output a terminal?"""
    return bool(out.isatty())
