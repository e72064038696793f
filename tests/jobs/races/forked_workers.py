"""A process that has Django loaded and, for each line that it reads, forks a child that does what the line says.

It runs with Django set up and DATABASE_URL naming the database of the test. A line is JSON:
{"act": name, "at": time to begin, "out": file, ...}. The child writes what it did to that file, line by line, each
after the commit. The process answers each line with the pid of the child.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from jobs import watchdog
from jobs.models import Phase
from jobs.tracking import Actor, NewItem, Result, claim, create_job, report

Command = dict[str, Any]


def main() -> None:
    """Fork for every line until there are no more; ended children are forgotten."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        command = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(command)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _child(command: Command) -> None:
    out = os.open(command["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        time.sleep(max(0.0, command["at"] - time.time()))
        for answer in ACTS[command["act"]](command):
            os.write(out, f"{answer}\n".encode())
        os.write(out, b"over\n")
    except BaseException as error:
        os.write(out, f"raised {error!r}\n".encode())
    finally:
        os._exit(0)


def _phase(command: Command) -> Phase:
    return Phase.objects.select_related("job").get(pk=command["phase"])


def _report(command: Command) -> Iterator[object]:
    """Report portions of five items each, for ever or so many times."""
    portions = range(command["portions"]) if "portions" in command else count()
    for portion in portions:
        keys = [f"{command['prefix']}{portion}-{n}" for n in range(5)]
        results = [Result(key, "completed") for key in keys]
        answer = report(_phase(command), worker=command["prefix"], results=results, by=Actor())
        assert {one.outcome for one in answer.results} == {"applied"}
        yield portion


def _claim(command: Command) -> Iterator[object]:
    """Claim and complete small portions until none is left."""
    while items := claim(_phase(command), worker=command["prefix"], limit=3, by=Actor()).items:
        results = [Result(item.key, "completed", item.attempt) for item in items]
        report(_phase(command), worker=command["prefix"], results=results, by=Actor())
        yield " ".join(item.key for item in items)


def _create(command: Command) -> Iterator[object]:
    """Create jobs by the names that other processes create too, with items of its own."""
    for number in range(command["jobs"]):
        items = [NewItem(f"{command['prefix']}{n}") for n in range(5)]
        answer = create_job(name=f"{command['names']}-{number}", items=items, by=Actor())
        yield f"{answer.job.pk} {int(answer.created)}"


def _sweep(command: Command) -> Iterator[object]:
    """Expire leases and pass watermarks as of an hour ahead, again and again."""
    for _ in range(command["rounds"]):
        swept = watchdog.sweep(timezone.now() + timedelta(hours=1))
        yield swept["expired"]


ACTS = {"report": _report, "claim": _claim, "create": _create, "sweep": _sweep}
