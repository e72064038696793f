"""`manage.py jobs`: show jobs and act on them from a shell."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from progress_client.command import renderers
from progress_client.command.tables import TerminalStyle, clean

from jobs.db.reachability import why_unreachable
from jobs.management.terminal.arguments import (
    filtered_jobs,
    find_actor,
    find_items,
    find_job,
    set_output_encoding,
    terminal_style,
)
from jobs.management.terminal.job_watch import screen_for, watch
from jobs.management.terminal.options import add_options
from jobs.models.phases import phases_of
from jobs.operations import ACTS, Act, require_permission
from jobs.rules.errors import BadInput, Conflict, NotFound, Refused
from jobs.rules.statuses import JobStatus
from jobs.serializers import encode, error_groups, job_bodies, job_body, progress_body
from jobs.tracker import ProgressTracker

FAILED, USAGE, NOT_FOUND, WRONG_STATE, INTERRUPTED, NO_READER = 1, 2, 3, 4, 130, 141
CODES: tuple[tuple[type[Refused], int], ...] = ((BadInput, USAGE), (NotFound, NOT_FOUND), (Conflict, WRONG_STATE))
Options = dict[str, Any]


class Command(BaseCommand):
    """Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 wrong state."""

    help = "List, show and watch jobs, and act on them: `jobs ACT JOB --reason …`. Name a job by its id or its name."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the subcommands."""
        add_options(parser)

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Run the subcommand; a refusal becomes its sentence and an exit code."""
        readers = {"list": self._list, "show": self._show, "watch": self._watch, "report": self._report}
        set_output_encoding(self.stdout, as_json=options["as_json"])
        try:
            if verb in readers:
                readers[verb](options, terminal_style(self.stdout, options))
            else:
                self._act(verb, {**options, "verb": verb}, terminal_style(self.stdout, options))
        except Refused as error:
            raise CommandError(clean(error.detail), returncode=_code(error)) from None
        except (OperationalError, InterfaceError) as error:
            why = why_unreachable() or f"The database does not answer. Check it and try again: {error}"
            raise CommandError(clean(why), returncode=FAILED) from None
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # buffered output would raise again at exit
            sys.exit(NO_READER)

    def _list(self, options: Options, style: TerminalStyle) -> None:
        found = list(filtered_jobs(options)[: options["limit"] + 1])
        bodies = job_bodies(found[: options["limit"]], now=timezone.now())
        if options["as_json"]:
            self._json(bodies)
        elif bodies:
            self._lines(renderers.job_list(bodies, style))
        else:
            self.stderr.write("No job matches these filters.", self.style.NOTICE)
        if len(found) > len(bodies):
            self.stderr.write("There are more jobs. Raise --limit to list them.", self.style.NOTICE)

    def _show(self, options: Options, style: TerminalStyle) -> None:
        job = find_job(options["job"])
        body, errors = job_body(job), error_groups(job)
        if options["as_json"]:
            self._json({**body, "errors": errors})
        else:
            self._lines(renderers.job(body, json.loads(encode(errors)), style))

    def _watch(self, options: Options, style: TerminalStyle) -> None:
        screen = screen_for(self.stdout, style, as_json=options["as_json"])
        last = watch(find_job(options["job"]), screen, interval=options["interval"])
        if last["status"] != JobStatus.COMPLETED:
            sys.exit(FAILED)

    def _report(self, options: Options, style: TerminalStyle) -> None:
        job = find_job(options["job"])
        if options["as_json"]:
            self._json(progress_body(job, phases=phases_of([job])[job.pk]))
        else:
            self._lines([clean(line) for line in ProgressTracker().report(job.pk).splitlines()])

    def _act(self, name: str, options: Options, style: TerminalStyle) -> None:
        act = ACTS[name]
        actor = find_actor(options["username"])
        require_permission(actor.account, act.verb)
        job = find_job(options["job"])
        names = act.Arguments.__struct_fields__
        if "items" in names:
            options["items"] = find_items(job, ids=options["ids"], keys=options["keys"])
        if "items" in act.required and not options["items"]:
            raise BadInput({"items": f"Name the items to {name} with --item or --key."})
        given = {name: options[name] for name in names if options.get(name) is not None or name in act.required}
        self._answer(act(job, actor=actor, **given), options, style)

    def _answer(self, act: Act, options: Options, style: TerminalStyle) -> None:
        refused = [{"id": row.id, "detail": row.detail} for row in act.refused]
        body = {"changed": act.changed, "refused": refused, "detail": act.detail}
        body |= {} if ACTS[options["verb"]].removes_job else {"job": job_body(act.job)}
        if options["as_json"]:
            self._json(body)
        else:
            self._lines(renderers.act(body, style))
            for row in refused:
                self.stderr.write(renderers.refusal(row))
        if act.refused and not act.changed:
            sys.exit(WRONG_STATE)

    def _lines(self, lines: Sequence[str]) -> None:
        self.stdout.write("\n".join(lines))

    def _json(self, body: Any) -> None:
        self.stdout.write(encode(body).decode())


def _code(error: Refused) -> int:
    return next((code for kind, code in CODES if isinstance(error, kind)), FAILED)
