"""What the demo shows: the files of each scene, and the example workers that play it."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

from django.core.management.base import CommandError

from jobs.management.demo.places import shown
from jobs.management.processes import Processes
from jobs.models import Job

LEASE_SECONDS = 15
FRAMES_TTL = 15
READERS = 2
TRAINERS = 2
PEOPLE = 6
IMAGE_SECONDS = 0.25
BROKEN_PAGE = 57
PAGES_PER_CHUNK = 5
PAGE_SECONDS = 0.4
WAITING = ["--lease", str(LEASE_SECONDS), "--stay"]


def next_run() -> str:
    """The name of this run, such as demo-2; its jobs begin with it."""
    names = Job.objects.filter(name__startswith="demo-").values_list("name", flat=True)
    taken = {found[0] for found in map(re.compile(r"demo-\d+\b").match, names) if found}
    return next(name for name in (f"demo-{n}" for n in count(1)) if name not in taken)


def play(processes: Processes, name: str, arguments: list[str], *, failed: str) -> None:
    """Run an example to its end; CommandError with the sentence and its log where it fails."""
    if processes.run(name, arguments) != 0:
        raise CommandError(f"{failed}; see {shown(processes.logs / f'{name}.log')}.")


# --- pictures, hashed by workers that stay ---------------------------------------------------------


def draw_pictures(processes: Processes, *, number: int) -> Path:
    """Draw what is missing of so many pictures; their folder."""
    folder = processes.logs / "pictures"
    script = ["examples/make_images.py", str(folder), "--count", str(number)]
    play(processes, "drawing", script, failed="The pictures could not be drawn")
    return folder


def hash_pictures(processes: Processes, *, folder: Path, job: str, workers: int) -> dict[str, int]:
    """Start the image workers, which stay so that what an operator retries is done; their names and pids."""
    files = ["--out", str(processes.logs / "hashes.csv"), "--thumbs", str(processes.logs / "thumbnails")]
    script = ["examples/image_worker.py", str(folder), "--job", job, *WAITING, *files]
    names = [f"w{number}" for number in range(1, workers + 1)]
    return {name: processes.start(name, [*script, "--worker", name]).pid for name in names}


# --- frames, with a total and without --------------------------------------------------------------


def report_frames(processes: Processes, *, folder: Path, run: str) -> None:
    """Two short jobs of another kind, so that the overview shows more than one state."""
    script = ["examples/frame_worker.py", str(folder)]
    known = ["--job", f"{run}-frames", "--announce", "12", "--frames", "11", "--story", "11 of 12 frames came."]
    story = "Eight frames came; nobody told the total, and the worker left."
    unknown = ["--job", f"{run}-frames-without-total", "--ttl", str(FRAMES_TTL), "--story", story]
    for number, rest in enumerate((known, unknown), 1):
        play(processes, f"frames-{number}", [*script, *rest], failed="The frames could not be reported")


# --- a document with a broken page -----------------------------------------------------------------


def write_contract(processes: Processes, *, pages: int) -> Path:
    """The PDF of this run, with a page that cannot be read."""
    file = processes.logs / "contract.pdf"
    script = ["examples/make_pdf.py", str(file), "--pages", str(pages), "--break", str(broken_page(pages))]
    play(processes, "writing", script, failed="The PDF could not be written")
    return file


def broken_page(pages: int) -> int:
    """Which page of so many is broken."""
    return min(BROKEN_PAGE, pages)


def read_contract(processes: Processes, *, file: Path, project: str) -> None:
    """Start the OCR workers, which stay as well; slowly, so that one can watch them."""
    document = [str(file), "--project", project, "--pages-per-chunk", str(PAGES_PER_CHUNK)]
    way = ["--pace", str(PAGE_SECONDS), "--out", str(processes.logs / "texts"), *WAITING]
    for number in range(1, READERS + 1):
        name = f"ocr-{number}"
        processes.start(name, ["examples/ocr_worker.py", *document, *way, "--worker", name])


# --- people, whose faces are found and put together ------------------------------------------------


def draw_people(processes: Processes, *, number: int) -> Path:
    """Draw what is missing of so many pictures of people, with duplicates and a broken one; their folder."""
    folder = processes.logs / "people"
    script = ["examples/make_faces.py", str(folder), "--count", str(number), "--people", str(PEOPLE)]
    play(processes, "drawing-people", script, failed="The people could not be drawn")
    return folder


def train(processes: Processes, *, folder: Path, session: str) -> None:
    """Start the workers of a training session, which stay as well; slowly, so that one can watch them."""
    way = ["--session", session, "--pace", str(IMAGE_SECONDS), "--out", str(processes.logs / "training"), *WAITING]
    for number in range(1, TRAINERS + 1):
        name = f"trainer-{number}"
        processes.start(name, ["examples/training_worker.py", str(folder), *way, "--worker", name])
