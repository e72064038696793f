"""`manage.py demo`: the site with real workers over real pictures, for a first look.

It makes an operator's account and a worker's token, draws pictures where there are none, starts `serve` and the
example workers as processes of their own, says what to try, and stops all of them on Ctrl-C or SIGTERM. What it
makes is kept in data/demo: the account's password, the pictures, the hashes, and the log of each process.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from knox.models import AuthToken

from jobs.access import Role
from jobs.management.commands.serve import port_number
from jobs.management.processes import Processes
from jobs.models import Job

HOST = "127.0.0.1"
ROOT = Path(settings.BASE_DIR)
DATA = ROOT / "data" / "demo"
SERVER = "server"
OPERATOR, WORKER = "demo", "demo-worker"
PICTURES = 400
LEASE_SECONDS = 15
FRAMES_TTL = 15
START_SECONDS = 30
SIGNALS = (signal.SIGINT, signal.SIGTERM)

BANNER = """
Progress Site is at {url}
  sign in as  {name}
  password    {password}

{workers} hash the pictures of {folder} as job {job}:
{pids}
Try this
  Kill a worker:  kill -9 {pid}
    After {lease} s its pictures come back, and another worker hashes them.
  Retry a failed picture, on the page of {job}.{mend}
  Missed it? Restart the phase on that page: the workers, who wait, hash every picture again.
  Force-complete {stuck}: its worker sent 8 frames and left
    before anybody told how many there are, so after {ttl} s the job is stuck.

Hashes and logs are in {data}. Ctrl-C stops everything.
"""


class Command(BaseCommand):
    """Show the site at work."""

    help = "Start the site with example workers over real pictures, for a first look."

    def add_arguments(self, parser: CommandParser) -> None:
        """The port, the workers, the pictures."""
        parser.add_argument("--port", type=port_number, default=os.environ.get("PORT", "8000"), help="default: PORT")
        parser.add_argument("--workers", type=int, default=2, choices=range(1, 17), metavar="1-16")
        parser.add_argument(
            "--images", type=Path, default=os.environ.get("IMAGES"), help="a folder of your own pictures"
        )
        parser.add_argument("--count", type=int, default=PICTURES, help=f"pictures to draw (default {PICTURES})")
        parser.add_argument("--data", type=Path, default=DATA, help=f"what the demo makes (default {shown(DATA)})")

    def handle(self, *args: Any, port: int, data: Path, **options: Any) -> None:
        """Run until a signal."""
        check_port(port)
        data.mkdir(parents=True, exist_ok=True)
        for signal_number in SIGNALS:
            signal.signal(signal_number, interrupt)
        token, secret = worker_token()
        environment = {**os.environ, "PROGRESS_URL": f"http://{HOST}:{port}", "PROGRESS_TOKEN": secret}
        processes = Processes(ROOT, logs=data.resolve(), environment=environment)
        try:
            folder = options["images"] or self._draw(processes, number=options["count"])
            self._run(processes, port=port, workers=options["workers"], folder=folder.resolve())
        except KeyboardInterrupt:
            self.stdout.write("\nStopping: the workers give back what they hold, then the server ends.")
        finally:
            for signal_number in SIGNALS:
                signal.signal(signal_number, signal.SIG_IGN)
            processes.stop(last=SERVER)
            AuthToken.objects.filter(pk=token.pk).delete()

    def _run(self, processes: Processes, *, port: int, workers: int, folder: Path) -> None:
        name, password = operator(processes.logs / "password")
        run = next_run()
        connections.close_all()
        server = processes.start(SERVER, ["manage.py", "serve", "--host", HOST, "--port", str(port)])
        if not becomes_ready(server, port=port):
            raise CommandError(f"The server does not come up; see {shown(processes.logs / 'server.log')}.")
        self._frames(processes, folder=folder, run=run)
        names = [f"w{number}" for number in range(1, workers + 1)]
        pids = {name: start_worker(processes, name, folder=folder, job=f"{run}-pictures").pid for name in names}
        self._say(
            url=f"http://{HOST}:{port}/",
            name=name,
            password=password,
            workers=f"{workers} workers" if workers > 1 else "One worker",
            folder=shown(folder),
            job=f"{run}-pictures",
            pids="".join(f"  {worker}  pid {pid}\n" for worker, pid in pids.items()),
            pid=pids["w1"],
            lease=LEASE_SECONDS,
            mend=mending(folder),
            stuck=f"{run}-frames-without-total",
            ttl=FRAMES_TTL,
            data=shown(processes.logs),
        )
        self._watch(processes)

    def _draw(self, processes: Processes, *, number: int) -> Path:
        folder = processes.logs / "pictures"
        if not folder.exists():
            self.stdout.write(f"Drawing {number} pictures, once ...")
        if processes.run("drawing", ["examples/make_images.py", str(folder), "--count", str(number)]) != 0:
            raise CommandError(f"The pictures could not be drawn; see {shown(processes.logs / 'drawing.log')}.")
        return folder

    def _frames(self, processes: Processes, *, folder: Path, run: str) -> None:
        """Two short jobs of another kind, so that the overview shows more than one state."""
        script = ["examples/frame_worker.py", str(folder)]
        known = ["--job", f"{run}-frames", "--announce", "12", "--frames", "11", "--story", "11 of 12 frames came."]
        story = "Eight frames came; nobody told the total, and the worker left."
        unknown = ["--job", f"{run}-frames-without-total", "--ttl", str(FRAMES_TTL), "--story", story]
        for number, rest in enumerate((known, unknown), 1):
            if processes.run(f"frames-{number}", [*script, *rest]) != 0:
                raise CommandError(
                    f"The frames could not be reported; see {shown(processes.logs / f'frames-{number}.log')}."
                )

    def _say(self, **facts: Any) -> None:
        self.stdout.write(BANNER.format(**facts))
        self.stdout.flush()

    def _watch(self, processes: Processes) -> None:
        """Tell which worker has ended, until a signal comes or the server ends."""
        while SERVER in processes.running:
            for name, code in processes.ended():
                how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
                self.stdout.write(f"{name} {how}.")
                self.stdout.flush()
            time.sleep(0.2)
        raise CommandError(f"The server has ended; see {shown(processes.logs / 'server.log')}.")


def interrupt(number: int, frame: FrameType | None) -> None:
    """Every signal that ends the demo ends it as Ctrl-C does."""
    raise KeyboardInterrupt


def check_port(port: int) -> None:
    """Refuse a port that somebody listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(f"Port {port} is taken; choose another: make demo PORT={port + 1}") from error


def becomes_ready(server: subprocess.Popen[bytes], *, port: int) -> bool:
    """Wait for /readyz; False where the server ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(port):
        if server.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def is_ready(port: int) -> bool:
    """Does the server answer that it is ready?"""
    probe = HTTPConnection(HOST, port, timeout=5)
    try:
        probe.request("GET", "/readyz")
        return probe.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        probe.close()


def start_worker(processes: Processes, name: str, *, folder: Path, job: str) -> subprocess.Popen[bytes]:
    """An image worker that stays, so that what an operator retries is done."""
    data = processes.logs
    files = ["--out", str(data / "hashes.csv"), "--thumbs", str(data / "thumbnails")]
    way = ["--worker", name, "--lease", str(LEASE_SECONDS), "--stay"]
    return processes.start(name, ["examples/image_worker.py", str(folder), "--job", job, *way, *files])


def operator(kept: Path) -> tuple[str, str]:
    """The account for the tour and its password, which is made once and kept in a file."""
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(9))
    password = kept.read_text()
    account, _ = User.objects.get_or_create(username=OPERATOR)
    account.is_staff = account.is_superuser = account.is_active = True
    if not account.check_password(password):
        account.set_password(password)
    account.save()
    account.groups.add(Group.objects.get(name=Role.LEAD))
    return OPERATOR, password


def worker_token() -> tuple[AuthToken, str]:
    """A token for the workers; it lasts a day at most."""
    account, created = User.objects.get_or_create(username=WORKER)
    if created:
        account.set_unusable_password()
        account.save()
    account.groups.set([Group.objects.get(name=Role.WORKER)])
    token, secret = AuthToken.objects.create(account, expiry=timedelta(days=1))
    return token, secret


def mending(folder: Path) -> str:
    """How to make a picture that the demo has drawn broken a good one."""
    good, bad = folder / "00" / "picture-0000.jpg", folder / "broken" / "empty.jpg"
    return f" To mend one first:\n    cp {shown(good)} {shown(bad)}" if good.exists() and bad.exists() else ""


def next_run() -> str:
    """The name of this run, such as demo-2; its jobs begin with it."""
    taken = set(Job.objects.filter(name__startswith="demo-").values_list("name", flat=True))
    return next(name for name in (f"demo-{n}" for n in count(1)) if f"{name}-pictures" not in taken)


def shown(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
