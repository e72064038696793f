"""`manage.py doctor`: check a deployment, and say what to do."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandParser

from jobs.management.doctor import inside, outside


def address(text: str) -> str:
    """Parse the public address of the site."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ArgumentTypeError(f"Enter an address such as https://progress.example.com, not {text!r}")
    return text


class Command(BaseCommand):
    """Check database, migrations, clock, Redis, broker, watchdog and deliverer; with --url also the way to the site."""

    help = "Check the deployment and say what to do. Exit code 1 if there is a fault."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --url, --insecure and --json."""
        parser.add_argument("--url", type=address, help="ask the site through its public address, with its path")
        parser.add_argument("--insecure", action="store_true", help="accept any certificate")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, url: str | None, insecure: bool, **options: Any) -> None:
        """Print each finding as soon as it is known."""
        findings = []
        for checks in (inside.checks(), *([outside.checks(url, verify=not insecure)] if url else [])):
            for finding in checks:
                findings.append(finding)
                if not options["json"]:
                    self.stdout.write("\n".join(finding.lines()))
        faults = sum(finding.status == "fault" for finding in findings)
        if options["json"]:
            body = {"status": "fault" if faults else "ok", "checks": [finding.as_dict() for finding in findings]}
            self.stdout.write(json.dumps(body, indent=2))
        elif faults:
            self.stdout.write(f"{faults} fault{'s' if faults > 1 else ''}.")
        if faults:
            sys.exit(1)
