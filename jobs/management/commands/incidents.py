"""`manage.py incidents`: list and show incidents, and work them off, from a shell."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime
from progress_client.command.tables import Column, clean, table

from jobs.api.incidents import history_of, incident_body, jobs_of
from jobs.management.terminal.arguments import find_actor, set_output_encoding, terminal_style
from jobs.models import Incident
from jobs.operations import INCIDENT_ACTS
from jobs.rules.errors import BadInput, Conflict, NotFound, Refused
from jobs.rules.incidents import IncidentKind, IncidentState
from jobs.serializers import encode

USAGE, NOT_FOUND, WRONG_STATE = 2, 3, 4
CODES: tuple[tuple[type[Refused], int], ...] = ((BadInput, USAGE), (NotFound, NOT_FOUND), (Conflict, WRONG_STATE))
COLUMNS = [Column("ID"), Column("State"), Column("Kind"), Column("Project"), Column("Number"), Column("What")]
ONGOING = "ongoing"
Options = dict[str, Any]


class Command(BaseCommand):
    """Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 wrong state."""

    help = "List and show incidents, and act on them: `incidents ACT ID …`."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the subcommands."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
        listing = verbs.add_parser("list", help="list incidents, the worst first")
        listing.add_argument("--state", choices=[ONGOING, *IncidentState], default=ONGOING)
        listing.add_argument("--kind", choices=[*IncidentKind], default="")
        listing.add_argument("--project", default="")
        listing.add_argument("--limit", type=int, default=50)
        show = verbs.add_parser("show", help="show an incident with its jobs and its history")
        show.add_argument("incident", type=int)
        acts = {name: verbs.add_parser(name, help=act.summary.lower()) for name, act in INCIDENT_ACTS.items()}
        for act in acts.values():
            act.add_argument("incident", type=int)
            act.add_argument("--as", dest="username", help="act as this account, with its permissions")
        acts["acknowledge"].add_argument("--note", default="", help="where the work is done")
        acts["assign"].add_argument("account", help="the name of an account; empty: no account")
        acts["snooze"].add_argument("--until", help="a time with its zone, such as 2026-12-01T06:00Z")
        acts["snooze"].add_argument("--until-grows", action="store_true", help="until it has more jobs than now")
        acts["resolve"].add_argument("--reason", required=True, help="why it is over")
        for each in (listing, show, *acts.values()):
            each.add_argument("--json", action="store_true", dest="as_json", help="print the JSON of the REST API")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Run the subcommand; a refusal becomes its sentence and an exit code."""
        set_output_encoding(self.stdout, as_json=options["as_json"])
        try:
            if verb == "list":
                self._list(options)
            elif verb == "show":
                self._show(_incident(options["incident"]), options)
            else:
                self._act(verb, options)
        except Refused as error:
            raise CommandError(clean(error.detail), returncode=_code(error)) from None

    def _list(self, options: Options) -> None:
        found = Incident.objects.select_related("assignee", "acknowledged_by").worst_first()
        given = {name: options[name] for name in ("kind", "project") if options[name]}
        state = {"ended_at__isnull": True} if options["state"] == ONGOING else {"state": options["state"]}
        listed = list(found.filter(**given, **state)[: max(0, options["limit"])])
        if options["as_json"]:
            self._json([incident_body(incident) for incident in listed])
        elif listed:
            rows = [[str(i.pk), i.state, i.kind, i.project, str(i.subjects), clean(i.title)] for i in listed]
            self.stdout.write("\n".join(table(COLUMNS, rows, terminal_style(self.stdout, options))))
        else:
            self.stderr.write("No incident matches these filters.", self.style.NOTICE)

    def _show(self, incident: Incident, options: Options) -> None:
        jobs, history = jobs_of(incident), history_of(incident)
        if options["as_json"]:
            self._json({**incident_body(incident), "jobs": jobs, "history": history})
            return
        lines = [f"{incident.pk} {incident.title}", f"{incident.state} since {incident.opened_at:%Y-%m-%d %H:%M} UTC"]
        lines += [text for text in (incident.detail, incident.error) if text]
        lines += [f"  {row['name']} {row['status']}" for row in jobs if row["left_at"] is None]
        lines += [f"{row['at']:%Y-%m-%d %H:%M} {row['actor']} {row['act']}: {row['detail']}" for row in history]
        self.stdout.write("\n".join(map(clean, lines)))

    def _act(self, verb: str, options: Options) -> None:
        act = INCIDENT_ACTS[verb]
        given = {name: options[name] for name in act.Arguments.__struct_fields__}
        if given.get("until"):
            given["until"] = _moment(given["until"])
        acted = act(_incident(options["incident"]), actor=find_actor(options["username"]), **given)
        if options["as_json"]:
            body = {"changed": acted.changed, "detail": acted.detail, "incident": incident_body(acted.incident)}
            self._json(body)
        else:
            self.stdout.write(clean(acted.detail))

    def _json(self, body: Any) -> None:
        self.stdout.write(encode(body).decode())


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
