"""Scripts that fork, with the helpers that each of them begins with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from tests.examples.site import ROOT

PRELUDE = """
import logging, os, sys, threading, time
from pathlib import Path
from progress_client import AsyncClient, Client, ProgressError, ProgressTracker, forks, session
logging.basicConfig(format="%(process)d %(message)s")
session.CLOSE_SECONDS = 5.0
name = sys.argv[1]

def fork(run, *arguments, clean=False):
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        run(*arguments)
        code = 0
    except SystemExit:
        raise
    except BaseException:
        import traceback
        traceback.print_exc()
    if clean and not code:
        sys.exit(0)
    os._exit(code)

def wait(*children):
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def refused(call):
    try:
        call()
    except ProgressError as error:
        return str(error)
    raise AssertionError("it was not refused")
"""
BUSY = """
over = threading.Event()

def busy(call):
    def run():
        while not over.wait(0.002):
            call()
    threading.Thread(target=run, daemon=True).start()
"""

Run = Callable[..., str]


def run_script(code: str, name: str, variables: dict[str, str]) -> str:
    """Run a script that forks; return everything that it and its children print."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + BUSY + code, name],
        cwd=ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr
