"""Worker without an item list: it reports frames as they arrive, and announces the total if it is known.

    frame_worker.py FOLDER --job NAME [--frames 8] [--announce 12]

The pictures of the folder stand for the frames of a video, and a colour signature for their embedding. With
--announce the phase completes at its threshold. Without it the total stays unknown, and the phase waits.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import images
from connection import Connection, worker_name
from PIL import Image

PHASE = "video.embeddings"


def signature(image: Image.Image) -> list[float]:
    """Compute the mean colours of sixteen fields of a picture, as a vector of length one."""
    small = image.convert("RGB").resize((4, 4), Image.Resampling.BOX)
    values = [value + 1 for value in small.tobytes()]
    length = math.sqrt(sum(value * value for value in values))
    return [round(value / length, 4) for value in values]


def outcome(path: Path) -> dict[str, Any]:
    """Process one frame and return its outcome."""
    try:
        return {"status": "completed", "result": {"embedding": signature(images.opened(path))}}
    except images.Unreadable as error:
        return {"status": "failed", "error": str(error)}


def send_frames(server: Connection, options: argparse.Namespace) -> None:
    """Create the job, announce the total if it is given, and report each frame."""
    phase: dict[str, Any] = {"code": PHASE, "watermark_ttl": options.ttl}
    body = {"name": options.job, "kind": "vision", "phases": [phase], "metadata": {"story": options.story}}
    job = server.post("/jobs", body)
    address = f"/jobs/{job['id']}/phases/{PHASE}"
    if options.announce is not None:
        server.post(f"{address}/announce", {"expected": options.announce, "event_id": str(uuid4())})
    for name in images.find(options.folder)[: options.frames]:
        result = {"key": name, **outcome(options.folder / name)}
        server.post(f"{address}/report", {"worker": options.worker, "results": [result]})


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Report frames of a video as they come.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--job", required=True)
    parser.add_argument("--url", default=os.environ.get("PROGRESS_URL", "http://127.0.0.1:8000"), help="PROGRESS_URL")
    parser.add_argument("--token", default=os.environ.get("PROGRESS_TOKEN", ""), help="PROGRESS_TOKEN")
    parser.add_argument("--worker", default=worker_name(), help="a unique worker name")
    parser.add_argument("--frames", type=int, default=8, help="number of frames to report (default: 8)")
    parser.add_argument("--announce", type=int, help="the total to announce; without it the total stays unknown")
    parser.add_argument("--ttl", type=int, default=900, help="seconds until the phase stops waiting (default: 900)")
    parser.add_argument("--story", default="", help="a remark stored with the job")
    options = parser.parse_args()
    send_frames(Connection(options.url, token=options.token, stop=Event()), options)


if __name__ == "__main__":
    main()
