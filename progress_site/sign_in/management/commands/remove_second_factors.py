"""Command that removes the second factors of an account that has lost them."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from progress_site.sign_in.audit import record


class Command(BaseCommand):
    """Remove the authenticator app, security keys and recovery codes of an account."""

    help = "Remove the second factors of an account. Its owner then signs in with the password and sets up new ones."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the name of the account."""
        parser.add_argument("name", help="name of the account")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Remove the factors; CommandError where there is no such account."""
        account = User.objects.filter(username=name).first()
        if account is None:
            raise CommandError(f"There is no account {name!r}.")
        number, _ = Authenticator.objects.filter(user=account).delete()
        record(account, f"second factor: {number} removed by the command remove_second_factors.")
        self.stdout.write(f"Removed {number} second factors and recovery codes of {name}.")
