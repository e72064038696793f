"""Scenes of the demo: their files and their example workers."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

from django.core.management.base import CommandError

from examples.demo.paths import shown
from examples.demo.processes import Processes
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
    """Return the name of this run, such as demo-2, the prefix of its jobs."""
    names = Job.objects.filter(name__startswith="demo-").values_list("name", flat=True)
    taken = {found[0] for found in map(re.compile(r"demo-\d+\b").match, names) if found}
    return next(name for name in (f"demo-{n}" for n in count(1)) if name not in taken)


def play(processes: Processes, name: str, arguments: list[str], *, failed: str) -> None:
    """Run an example script to its end. CommandError with `failed` and the path of its log if it fails."""
    if processes.run(name, arguments) != 0:
        raise CommandError(f"{failed}; see {shown(processes.logs / f'{name}.log')}.")


# --- pictures --------------------------------------------------------------------------------------


def draw_pictures(processes: Processes, *, number: int) -> Path:
    """Draw the missing ones of `number` pictures; return their folder."""
    folder = processes.logs / "pictures"
    script = ["examples/make_images.py", str(folder), "--count", str(number)]
    play(processes, "drawing", script, failed="The pictures could not be drawn")
    return folder


def hash_pictures(processes: Processes, *, folder: Path, job: str, workers: int) -> dict[str, int]:
    """Start the image workers, which wait for retried items; return their names and process ids."""
    files = ["--out", str(processes.logs / "hashes.csv"), "--thumbs", str(processes.logs / "thumbnails")]
    script = ["examples/image_worker.py", str(folder), "--job", job, *WAITING, *files]
    names = [f"w{number}" for number in range(1, workers + 1)]
    return {name: processes.start(name, [*script, "--worker", name]).pid for name in names}


# --- frames ----------------------------------------------------------------------------------------


def report_frames(processes: Processes, *, folder: Path, run: str) -> None:
    """Report two short vision jobs, with and without a total, so that the overview shows more states."""
    script = ["examples/frame_worker.py", str(folder)]
    known = ["--job", f"{run}-frames", "--announce", "12", "--frames", "11", "--story", "11 of 12 frames arrived."]
    story = "Eight frames arrived, then the worker stopped without announcing a total."
    unknown = ["--job", f"{run}-frames-without-total", "--ttl", str(FRAMES_TTL), "--story", story]
    for number, rest in enumerate((known, unknown), 1):
        play(processes, f"frames-{number}", [*script, *rest], failed="The frames could not be reported")


# --- a document ------------------------------------------------------------------------------------


def write_contract(processes: Processes, *, pages: int) -> Path:
    """Write the PDF of this run, with a page that cannot be read."""
    file = processes.logs / "contract.pdf"
    script = ["examples/make_pdf.py", str(file), "--pages", str(pages), "--break", str(broken_page(pages))]
    play(processes, "writing", script, failed="The PDF could not be written")
    return file


def broken_page(pages: int) -> int:
    """Return the number of the broken page."""
    return min(BROKEN_PAGE, pages)


def read_contract(processes: Processes, *, file: Path, project: str) -> None:
    """Start the OCR workers at a pace that can be watched; they wait for retried items."""
    document = [str(file), "--project", project, "--pages-per-chunk", str(PAGES_PER_CHUNK)]
    way = ["--pace", str(PAGE_SECONDS), "--out", str(processes.logs / "texts"), *WAITING]
    for number in range(1, READERS + 1):
        name = f"ocr-{number}"
        processes.start(name, ["examples/ocr_worker.py", *document, *way, "--worker", name])


# --- people ----------------------------------------------------------------------------------------


def draw_people(processes: Processes, *, number: int) -> Path:
    """Draw the missing ones of `number` pictures of people, with duplicates and a broken one; return their folder."""
    folder = processes.logs / "people"
    script = ["examples/make_faces.py", str(folder), "--count", str(number), "--people", str(PEOPLE)]
    play(processes, "drawing-people", script, failed="The people could not be drawn")
    return folder


def train(processes: Processes, *, folder: Path, session: str) -> None:
    """Start the workers of a training session at a pace that can be watched; they wait for restarts."""
    way = ["--session", session, "--pace", str(IMAGE_SECONDS), "--out", str(processes.logs / "training"), *WAITING]
    for number in range(1, TRAINERS + 1):
        name = f"trainer-{number}"
        processes.start(name, ["examples/training_worker.py", str(folder), *way, "--worker", name])
