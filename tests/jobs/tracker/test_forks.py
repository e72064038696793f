"""ProgressTracker across a fork: a child works with a connection of its own, or says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection, connections

from jobs.models import Job
from jobs.tracker import ProgressTracker
from tests.factories import keys, phase_of
from tests.servers import ROOT, database_url

pytestmark = pytest.mark.django_db(transaction=True)
SETUP = """
import os, sys, threading, django
django.setup()
from django.db import transaction
from jobs.tracker import ProgressTracker
tracker = ProgressTracker(worker="t")
job_id = int(sys.argv[1])
images = [image for image, _, _ in tracker.get_pending_images(job_id)]

def fork(run, *arguments):
    child = os.fork()
    if child:
        return child
    try:
        run(*arguments)
    except BaseException:
        import traceback
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(0)

def share():
    won = [image for image in images if tracker.mark_processing(image)]
    assert len(tracker.mark_many(won, "completed")) == len(won)
    print("\\n".join(map(str, won)), flush=True)

def mark(number):
    tracker.mark_completed(images[number])

def say():
    try:
        print("worked", tracker.mark_completed(images[0]))
    except RuntimeError as error:
        print("refused:", error)
"""


def run(code: str | Path, *arguments: object) -> str:
    """Everything that a script prints."""
    own = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *([str(code)] if isinstance(code, Path) else ["-c", SETUP + code]), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def job(tracker: ProgressTracker) -> Job:
    """A job of 40 images."""
    return Job.objects.get(pk=tracker.create_job("forked", keys(40)))


def test_forked_children_and_their_parent_share_the_images_and_none_is_done_twice(job: Job) -> None:
    won = run(
        """
children = [fork(share), fork(share)]
share()
for child in children:
    os.waitpid(child, 0)
assert tracker.get_progress_by_split(job_id)
""",
        job.pk,
    )
    assert sorted(map(int, won.split())) == sorted(phase_of(job).items.values_list("pk", flat=True))
    assert phase_of(job).done == 40


def test_what_a_child_marks_stays_when_its_parent_closes_the_database_first(job: Job) -> None:
    connections.close_all()  # whoever closes a SQLite file last deletes its log, so only the script may have it open
    run(
        """
theirs, ours = os.pipe(), os.pipe()

def work():
    mark(0)
    os.write(theirs[1], b"x")
    os.read(ours[0], 1)
    mark(1)

child = fork(work)
os.read(theirs[0], 1)
mark(2)
tracker.close()
mark(3)
os.write(ours[1], b"x")
os.waitpid(child, 0)
tracker.close()
""",
        job.pk,
    )
    assert phase_of(job).done == 4


IN_A_THREAD = """
opened, over = threading.Event(), threading.Event()

def other():
    tracker.get_progress(job_id)
    opened.set()
    over.wait()

threading.Thread(target=other, daemon=True).start()
opened.wait()
os.waitpid(fork(say), 0)
over.set()
print("worked", tracker.mark_completed(images[1]))
"""
IN_A_TRANSACTION = """
with transaction.atomic():
    tracker.get_progress(job_id)
    os.waitpid(fork(say), 0)
print("worked", tracker.mark_completed(images[1]))
"""


@pytest.mark.parametrize("code", [IN_A_THREAD, IN_A_TRANSACTION], ids=["in a thread", "in a transaction"])
def test_a_child_that_shares_an_open_file_is_refused_and_a_child_of_a_server_works(job: Job, code: str) -> None:
    child, parent = run(code, job.pk).splitlines()
    assert parent == "worked True"
    if connection.vendor == "sqlite":
        assert child.startswith("refused: ")
        assert "Close it before the fork, in every thread that used it" in child
    else:
        assert child == "worked True"


HANDED_OVER = """
import multiprocessing, sys, django
django.setup()
from jobs.tracker import ProgressTracker

def work(tracker, images):
    won = [image for image in images if tracker.mark_processing(image)]
    assert tracker.mark_many(won, "completed") == won
    print("\\n".join([tracker.worker, *map(str, won)]), flush=True)

if __name__ == "__main__":
    tracker = ProgressTracker(worker="t")
    images = [image for image, _, _ in tracker.get_pending_images(int(sys.argv[1]))]
    assert tracker.mark_processing(images[0])
    context = multiprocessing.get_context(sys.argv[2])
    children = [context.Process(target=work, args=(tracker, images)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert tracker.mark_processing(images[0])
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_tracker_that_is_handed_to_a_child_is_a_worker_of_its_own(job: Job, tmp_path: Path, method: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(HANDED_OVER)
    done = run(script, job.pk, method)
    workers = [line for line in done.split() if not line.isdigit()]
    images = [int(line) for line in done.split() if line.isdigit()]
    assert len({"t", *workers}) == 3
    assert sorted(images) == sorted(phase_of(job).items.values_list("pk", flat=True))[1:]
