"""Image tracker: the public names of an old SQLite tracker, on top of jobs and items.

    tracker = ProgressTracker()
    job_id = tracker.create_job("batch_001", paths, splits)
    for image_id, path, split in tracker.get_pending_images(job_id, limit=500):
        if tracker.mark_processing(image_id):
            ...
            tracker.mark_completed(image_id)
    tracker.checkpoint(job_id)
    tracker.get_progress(job_id)
    tracker.close()

A tracker's job is a generic job like any other: operators see it live, and workers may claim its images over REST.
"""

from jobs.tracker.arguments import Status
from jobs.tracker.tracker import ProgressTracker

__all__ = ["ProgressTracker", "Status"]
