"""`progress incidents`: its sub-commands, their options, and their output. `manage.py incidents` shares them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from progress_client.client import Client
from progress_client.command.tables import PLAIN, Column, TerminalStyle, clean, table
from progress_client.command.terminal import Terminal
from progress_client.command.whole_numbers import item_id, whole
from progress_client.cursor_pages import pages

Body = Mapping[str, Any]

MOST = 1000
ONGOING = "ongoing"
STATES = (ONGOING, "open", "acknowledged", "snoozed", "resolved")
NONE = "No incidents match."
ACTS = {
    "acknowledge": "acknowledge an incident",
    "assign": "assign an incident to an account",
    "snooze": "snooze an incident",
    "resolve": "resolve an incident",
}
# The arguments of each act, and the options that ask for them.
OPTIONS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "acknowledge": {"note": ("--note", {"default": "", "help": "where the work is done"})},
    "assign": {"account": ("account", {"help": "the name of an account; empty: no account"})},
    "snooze": {
        "until": ("--until", {"metavar": "TIME", "help": "a time with its zone, such as 2026-12-01T06:00Z"}),
        "until_grows": ("--until-grows", {"action": "store_true", "help": "until it has more subjects than now"}),
    },
    "resolve": {"reason": ("--reason", {"required": True, "help": "why it is over"})},
}
COLUMNS = [
    Column("ID", right=True),
    Column("STATE"),
    Column("KIND", drop=2),
    Column("PROJECT", drop=1),
    Column("NUMBER", right=True),
    Column("WHAT", least=20),
]


def add_verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Add `list`, `show` and the acts; return the parsers of the acts."""
    verbs = parser.add_subparsers(dest="incident_verb", required=True, metavar=f"list|show|{'|'.join(ACTS)}")
    listing = verbs.add_parser("list", help="list incidents, the worst first")
    listing.add_argument("--state", choices=STATES, default=ONGOING, help="default: %(default)s, all but resolved ones")
    listing.add_argument("--kind", default="", help="such as job_stuck or job_failed")
    listing.add_argument("--project", default="")
    listing.add_argument("--limit", type=_limit, default=50, help=f"maximum number, 1 to {MOST}; default %(default)s")
    show = verbs.add_parser("show", help="show an incident with its jobs and its history")
    acts = {name: verbs.add_parser(name, help=what) for name, what in ACTS.items()}
    for each in (show, *acts.values()):
        each.add_argument("incident", type=item_id, help="its number")
    for name, act in acts.items():
        for option, described in OPTIONS[name].values():
            act.add_argument(option, **described)
    for each in (listing, show, *acts.values()):
        each.add_argument("--json", action="store_true", dest="as_json", help="the bodies of the REST API, for scripts")
    return acts


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> list[str]:
    """Run a sub-command; return what to say on stderr."""
    call, verb = client._session.call, options.incident_verb
    if verb == "list":
        query = {"over": "false"} if options.state == ONGOING else {"state": options.state}
        found = pages(call, "/incidents", kind=options.kind, project=options.project, **query)
        listed = worst_first(list(islice(found, MOST)))[: options.limit]
        body: Any = listed
        lines = incident_list(listed, terminal.style)
    elif verb == "show":
        body = call("GET", f"/incidents/{options.incident}")
        lines = incident(body)
    else:
        given = {name: getattr(options, name) for name in OPTIONS[verb]}
        given = {name: value for name, value in given.items() if value is not None}
        body = call("POST", f"/incidents/{options.incident}/{verb}", given)
        lines = [clean(body["detail"])]
    if terminal.as_json:
        terminal.print_json(body)
    else:
        terminal.print_lines(lines)
    return [NONE] if body == [] and not terminal.as_json else []


def worst_first(bodies: Sequence[Body]) -> list[Body]:
    """Sort by severity, then by age, the oldest first."""
    return sorted(bodies, key=lambda body: (-body["severity"], body["opened_at"], body["id"]))


def incident_list(bodies: Sequence[Body], style: TerminalStyle = PLAIN) -> list[str]:
    """Return a table of incidents; nothing without any."""
    names = ("id", "state", "kind", "project", "subjects", "title")
    return table(COLUMNS, [[str(body[name]) for name in names] for body in bodies], style) if bodies else []


def incident(body: Body) -> list[str]:
    """Return an incident with its jobs and its history."""
    lines = [f"{body['id']} {body['title']}", f"{body['state']} since {_minute(body['opened_at'])} UTC"]
    lines += [text for text in (body["detail"], body["error"]) if text]
    lines += [f"  {row['name']} {row['status']}" for row in body["jobs"] if row["left_at"] is None]
    lines += [f"{_minute(row['at'])} {row['actor']} {row['act']}: {row['detail']}" for row in body["history"]]
    return [clean(line) for line in lines]


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _limit(text: str) -> int:
    return whole(text, least=1, most=MOST)
