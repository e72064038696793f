"""The command `manage.py demo`: the site with real workers over real files, for a first look.

It creates an operator account and a worker token, draws pictures and writes a PDF. It starts `serve` and the example
workers as processes, prints what to try, and stops all of them on Ctrl-C or SIGTERM. Its files are kept in data/demo:
the password of the account, the pictures, the results of the workers, and the log of each process.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from knox.models import AuthToken

from examples.demo import scenes
from examples.demo.accounts import operator, worker_token
from examples.demo.banner import tour, welcome
from examples.demo.paths import DATA, ROOT, shown
from examples.demo.processes import Processes
from examples.demo.server import HOST, SERVER, check_port, start_server
from jobs.management.commands.serve import port_number

PICTURES, PAGES, PORTRAITS = 400, 84, 60
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command(BaseCommand):
    """Show the site at work."""

    help = "Start the site with example workers over real files, for a first look."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--port", type=port_number, default=os.environ.get("PORT", "8000"), help="default: PORT")
        parser.add_argument("--workers", type=int, default=2, choices=range(1, 17), metavar="1-16")
        parser.add_argument(
            "--images", type=Path, default=os.environ.get("IMAGES"), help="a folder of your own pictures"
        )
        parser.add_argument("--count", type=int, default=PICTURES, help=f"pictures to draw (default {PICTURES})")
        parser.add_argument("--pages", type=int, default=PAGES, help=f"pages of the PDF (default {PAGES})")
        parser.add_argument(
            "--portraits", type=int, default=PORTRAITS, help=f"pictures of people to draw (default {PORTRAITS})"
        )
        parser.add_argument("--data", type=Path, default=DATA, help=f"the folder of its files (default {shown(DATA)})")

    def handle(self, *args: Any, port: int, data: Path, **options: Any) -> None:
        """Run until a signal arrives."""
        check_port(port)
        data.mkdir(parents=True, exist_ok=True)
        for signal_number in SIGNALS:
            signal.signal(signal_number, interrupt)
        token, secret = worker_token()
        environment = {**os.environ, "PROGRESS_URL": f"http://{HOST}:{port}", "PROGRESS_TOKEN": secret}
        processes = Processes(ROOT, logs=data.resolve(), environment=environment)
        try:
            self._run(processes, port=port, **options)
        except KeyboardInterrupt:
            self._say("\nStopping: the workers give back their items, then the server ends.")
        finally:
            for signal_number in SIGNALS:
                signal.signal(signal_number, signal.SIG_IGN)
            processes.stop(last=SERVER)
            AuthToken.objects.filter(pk=token.pk).delete()

    def _run(self, processes: Processes, *, port: int, workers: int, pages: int, **options: Any) -> None:
        contract = scenes.write_contract(processes, pages=pages)
        account, run = operator(processes.logs / "password"), scenes.next_run()
        connections.close_all()
        start_server(processes, port=port)
        scenes.read_contract(processes, file=contract, project=run)
        self._say(welcome(f"http://{HOST}:{port}/", account=account))
        pictures = (options["images"] or self._draw(processes, number=options["count"])).resolve()
        pids = scenes.hash_pictures(processes, folder=pictures, job=f"{run}-pictures", workers=workers)
        scenes.report_frames(processes, folder=pictures, run=run)
        people = scenes.draw_people(processes, number=options["portraits"])
        scenes.train(processes, folder=people, session=f"{run}-people")
        page, data = scenes.broken_page(pages), processes.logs
        made = {"pictures": pictures, "people": people, "contract": contract, "data": data}
        self._say(tour(run=run, pids=pids, page=page, **made))
        self._watch(processes)

    def _draw(self, processes: Processes, *, number: int) -> Path:
        if not (processes.logs / "pictures").exists():
            self._say(f"\nDrawing {number} pictures, once ...")
        return scenes.draw_pictures(processes, number=number)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _watch(self, processes: Processes) -> None:
        """Print each worker that ends, until a signal arrives or the server ends."""
        while SERVER in processes.running:
            for name, code in processes.ended():
                self._say(f"{name} was killed by signal {-code}." if code < 0 else f"{name} ended with {code}.")
            time.sleep(0.2)
        raise CommandError(f"The server has ended; see {shown(processes.logs / 'server.log')}.")


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal like Ctrl-C."""
    raise KeyboardInterrupt
