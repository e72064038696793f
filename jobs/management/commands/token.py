"""`manage.py token`: create, list, rotate and revoke the tokens of workers and other API clients."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q, QuerySet
from knox.models import AuthToken

from jobs.access import Role
from jobs.api import tokens
from jobs.api.tokens import DIGEST_SHOWN
from jobs.rules import names
from jobs.rules.errors import BadInput, Refused, WrongState
from jobs.rules.limits import ACCOUNT_LENGTH, PROJECT_LENGTH

USAGE, NOT_FOUND, WRONG_STATE = 2, 3, 4
MAX_DAYS = 36_500
MAX_GRACE = 168
MIN_DIGEST = 8


class Command(BaseCommand):
    """Manage tokens. `token create` and `token rotate` print only the secret on stdout; it is stored hashed."""

    help = "Create, list, rotate or revoke the tokens of API clients."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the four subcommands."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="create|list|rotate|revoke")
        create = acts.add_parser("create", help="create a token for the account NAME, which is created if missing")
        create.add_argument("name", type=_name, help="user name of the account, up to 150 characters")
        create.add_argument(
            "--role",
            choices=[*Role],
            action="append",
            dest="roles",
            help="role of the account; repeatable (default: worker)",
        )
        create.add_argument(
            "--project",
            type=_project,
            action="append",
            dest="projects",
            help="limit the account to this project; repeatable",
        )
        create.add_argument("--days", type=_days, help="days until the token expires (default: never)")
        acts.add_parser("list", help="print every token, and when it was used last")
        rotate = acts.add_parser("rotate", help="print a new secret in place of an old one, for the same account")
        rotate.add_argument("which", help="as for revoke; exactly one token")
        rotate.add_argument(
            "--grace-hours", type=_hours, default=0, help="hours until the old secret ends (default 0, at most 168)"
        )
        revoke = acts.add_parser("revoke", help="delete tokens")
        revoke.add_argument("which", help="an account's name, or the first characters of a digest as `list` prints it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the subcommand."""
        if options["act"] == "create":
            self._create(**{name: options[name] for name in ("name", "roles", "projects", "days")})
        elif options["act"] == "list":
            self._list()
        elif options["act"] == "rotate":
            self._rotate(options["which"], hours=options["grace_hours"])
        else:
            self._revoke(options["which"])

    def _create(
        self, *, name: str, roles: Sequence[str] | None, projects: Sequence[str] | None, days: int | None
    ) -> None:
        try:
            self.stdout.write(tokens.issue(name, roles=roles or (), projects=projects, days=days))
        except BadInput as error:
            raise CommandError(error.detail, returncode=USAGE) from None
        except WrongState as error:
            raise CommandError(error.detail, returncode=WRONG_STATE) from None

    def _list(self) -> None:
        every = AuthToken.objects.select_related("user", "use").prefetch_related("user__groups", "user__memberships")
        for token in every.order_by("user__username", "created"):
            self.stdout.write(_line(token))

    def _rotate(self, which: str, *, hours: int) -> None:
        found = list(_tokens(which)[:2])
        if len(found) != 1:
            message = f"{which!r} has more than one token. Name one by its digest." if found else _no_token(which)
            raise CommandError(message, returncode=WRONG_STATE if found else NOT_FOUND)
        try:
            self.stdout.write(tokens.rotate(found[0], grace=timedelta(hours=hours)))
        except Refused as error:
            raise CommandError(error.detail, returncode=WRONG_STATE) from None

    def _revoke(self, which: str) -> None:
        deleted, _ = _tokens(which).delete()
        if not deleted:
            raise CommandError(_no_token(which), returncode=NOT_FOUND)
        self.stderr.write(f"{deleted} revoked")


def _tokens(which: str) -> QuerySet[AuthToken]:
    chosen = Q(user__username=names.plain(which))
    if len(which) >= MIN_DIGEST:
        chosen |= Q(digest__startswith=which)
    return AuthToken.objects.filter(chosen)


def _no_token(which: str) -> str:
    return f"There is no token of {which!r}. List the tokens with: token list"


def _line(token: AuthToken) -> str:
    roles = ",".join(sorted(group.name for group in token.user.groups.all())) or "-"
    projects = ",".join(sorted(membership.project for membership in token.user.memberships.all())) or "all projects"
    expiry = f"until {token.expiry:%Y-%m-%d}" if token.expiry else "no expiry"
    used = f"used {token.use.used_at:%Y-%m-%d %H:%M}" if hasattr(token, "use") else "never used"
    return "  ".join([token.digest[:DIGEST_SHOWN], token.user.username, roles, projects, expiry, used])


def _name(text: str) -> str:
    return _bounded(text, most=ACCOUNT_LENGTH)


def _project(text: str) -> str:
    return _bounded(text, most=PROJECT_LENGTH)


def _bounded(text: str, *, most: int) -> str:
    if not text.strip() or len(text) > most or "\0" in text:
        raise ArgumentTypeError(f"Enter 1 to {most} characters")
    return text


def _hours(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:4]) > MAX_GRACE:
        raise ArgumentTypeError(f"Enter 0 to {MAX_GRACE} hours")
    return int(text)


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_DAYS:
        raise ArgumentTypeError(f"Enter 1 to {MAX_DAYS} days")
    return int(text)
