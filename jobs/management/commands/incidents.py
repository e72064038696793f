"""`manage.py incidents`: list and show incidents, and work them off, from a shell."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime
from progress_client.command import incidents as shared
from progress_client.command.tables import clean

from jobs.api.incidents import history_of, incident_body, jobs_of
from jobs.management.terminal.arguments import find_actor, set_output_encoding, terminal_style
from jobs.models import Incident
from jobs.operations import INCIDENT_ACTS
from jobs.rules.errors import BadInput, Conflict, NotFound, Refused
from jobs.rules.incidents import IncidentKind
from jobs.serializers import encode

USAGE, NOT_FOUND, WRONG_STATE = 2, 3, 4
CODES: tuple[tuple[type[Refused], int], ...] = ((BadInput, USAGE), (NotFound, NOT_FOUND), (Conflict, WRONG_STATE))
Options = dict[str, Any]


class Command(BaseCommand):
    """Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 wrong state."""

    help = "List and show incidents, and act on them: `incidents ACT ID …`."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the subcommands, which `progress incidents` has too."""
        for act in shared.add_verbs(parser).values():
            act.add_argument("--as", dest="username", help="act as this account, with its permissions")

    def handle(self, *args: Any, incident_verb: str, **options: Any) -> None:
        """Run the subcommand; a refusal becomes its sentence and an exit code."""
        set_output_encoding(self.stdout, as_json=options["as_json"])
        try:
            if incident_verb == "list":
                self._list(options)
            elif incident_verb == "show":
                incident = _incident(options["incident"])
                body = {**incident_body(incident), "jobs": jobs_of(incident), "history": history_of(incident)}
                self._print(body, shared.incident(_plain(body)), options)
            else:
                self._act(incident_verb, options)
        except Refused as error:
            raise CommandError(clean(error.detail), returncode=_code(error)) from None

    def _list(self, options: Options) -> None:
        if options["kind"] not in ("", *IncidentKind):
            raise BadInput({"kind": f"Enter one of {', '.join(IncidentKind)}."})
        found = Incident.objects.select_related("assignee", "acknowledged_by").worst_first()
        given = {name: options[name] for name in ("kind", "project") if options[name]}
        state = {"ended_at__isnull": True} if options["state"] == shared.ONGOING else {"state": options["state"]}
        bodies = [incident_body(incident) for incident in found.filter(**given, **state)[: options["limit"]]]
        if bodies or options["as_json"]:
            self._print(bodies, shared.incident_list(_plain(bodies), terminal_style(self.stdout, options)), options)
        else:
            self.stderr.write(shared.NONE, self.style.NOTICE)

    def _act(self, verb: str, options: Options) -> None:
        act = INCIDENT_ACTS[verb]
        given = {name: options[name] for name in act.Arguments.__struct_fields__}
        if given.get("until"):
            given["until"] = _moment(given["until"])
        acted = act(_incident(options["incident"]), actor=find_actor(options["username"]), **given)
        body = {"changed": acted.changed, "detail": acted.detail, "incident": incident_body(acted.incident)}
        self._print(body, [clean(acted.detail)], options)

    def _print(self, body: Any, lines: list[str], options: Options) -> None:
        self.stdout.write(encode(body).decode() if options["as_json"] else "\n".join(lines))


def _plain(body: Any) -> Any:
    """Return a body as REST sends it."""
    return json.loads(encode(body))


def _incident(pk: int) -> Incident:
    incident = Incident.objects.select_related("assignee", "acknowledged_by").filter(pk=pk).first()
    if incident is None:
        raise NotFound(f"There is no incident {pk}.")
    return incident


def _moment(text: str) -> Any:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput({"until": "Enter a time with its zone, such as 2026-12-01T06:00Z."})
    return moment


def _code(error: Refused) -> int:
    return next((code for kind, code in CODES if isinstance(error, kind)), 1)
