"""ProgressTracker in several processes and threads: nothing twice, nothing lost. Case C15."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from jobs import tracking
from jobs.models import Item, Job
from jobs.tracker import ProgressTracker, Status
from tests.factories import WORKER, item_of, keys, outward, phase_of, take, types
from tests.servers import database_url

pytestmark = pytest.mark.django_db(transaction=True)
SETUP = "import sys, django; django.setup(); from jobs.tracker import ProgressTracker; tracker = ProgressTracker()"
COMPLETE = """
images = tracker.get_pending_images(int(sys.argv[1]))
for place, (image_id, _, _) in enumerate(images):
    assert tracker.mark_processing(image_id)
    tracker.mark_completed(image_id)
    print(place, flush=True)
"""
SHARE = """
job_id = int(sys.argv[1])
while images := tracker.get_pending_images(job_id, 20):
    for image_id, path, _ in images:
        if tracker.mark_processing(image_id):
            print(path, flush=True)
            tracker.mark_completed(image_id)
"""


def script(text: str, job_id: int) -> subprocess.Popen[str]:
    """A process of its own that runs this with a tracker."""
    environment = os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-c", f"{SETUP}\n{text}", str(job_id)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_a_worker_that_is_killed_loses_nothing_that_it_marked(tracker: ProgressTracker) -> None:
    job_id = tracker.create_job("killed", keys(100))
    worker = script(COMPLETE, job_id)
    assert worker.stdout is not None
    for line in worker.stdout:
        if line == "56\n":
            os.kill(worker.pid, signal.SIGKILL)
            break
    worker.communicate(timeout=60)
    done = phase_of(Job.objects.get(pk=job_id)).done
    assert done >= 57
    tracker.reset_stuck_images(job_id)
    pending = [pk for pk, _, _ in ProgressTracker().get_pending_images(job_id)]
    assert len(pending) == 100 - done
    assert not Item.objects.filter(pk__in=pending, status="completed").exists()


def test_processes_that_share_a_job_handle_each_image_once(tracker: ProgressTracker) -> None:
    job_id = tracker.create_job("shared", keys(60))
    workers = [script(SHARE, job_id) for _ in range(2)]
    handled = Counter(line for worker in workers for line in worker.communicate(timeout=120)[0].split())
    assert handled == Counter(keys(60))
    job = Job.objects.get(pk=job_id)
    assert (job.status, len(outward(job, "items.completed"))) == ("completed", 1)


def test_threads_that_share_a_tracker_handle_each_image_once(tracker: ProgressTracker) -> None:
    job_id = tracker.create_job("threads", keys(60))

    def work(_: int) -> list[str]:
        images = tracker.get_pending_images(job_id)
        mine = [(pk, path) for pk, path, _ in images if tracker.mark_processing(pk)]
        tracker.mark_many([pk for pk, _ in mine], Status.COMPLETED)
        connections.close_all()
        return [str(path) for _, path in mine]

    with ThreadPoolExecutor(4) as threads:
        handled = Counter(path for paths in threads.map(work, range(4)) for path in paths)
    assert handled == Counter(keys(60))


def test_of_two_batches_with_one_number_made_at_the_same_moment_one_is_refused(tracker: ProgressTracker) -> None:
    job_id = tracker.create_job("uploads", keys(1))

    def create(_: int) -> int:
        try:
            return tracker.create_batch(job_id, 1, 100)
        except ValueError:
            return 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        made = [pk for pk in threads.map(create, range(4)) if pk]
    assert [row["id"] for row in tracker.get_pending_batches(job_id)] == made


def test_a_rest_worker_and_a_tracker_share_a_job(tracker: ProgressTracker) -> None:
    job_id = tracker.create_job("both", keys(3))
    phase = phase_of(Job.objects.get(pk=job_id))
    [claimed] = take(phase, 1)
    tracker.mark_many([pk for pk, _, _ in tracker.get_pending_images(job_id)], Status.COMPLETED)
    result = tracking.Result(claimed.key, "completed", claimed.attempt)
    tracking.report(phase, worker="w1", results=[result], by=WORKER)
    job = Job.objects.get(pk=job_id)
    assert (job.status, item_of(job, claimed.key).worker) == ("completed", "w1")
    assert types(job).count("job.completed") == 1
