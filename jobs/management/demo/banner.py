"""What the demo says."""

from __future__ import annotations

import sys
from pathlib import Path

from jobs.management.demo.places import shown
from jobs.management.demo.scenes import FRAMES_TTL, LEASE_SECONDS

WELCOME = """
Progress Site is at {url}
  sign in as  {name}
  password    {password}
"""

TOUR = """
{workers} hash the pictures of {folder} as job {run}-pictures:
{pids}
Two more read the pages of {contract} as job {run}/{document}; page {page} is broken.
Two more find the faces in {people} and who is who, as training session {run}-people.

Try this
  Kill a worker:  kill -9 {pid}
    After {lease} s its pictures come back, and another worker hashes them.
  Retry a failed picture, on the page of {run}-pictures.{mend}
  Retry the failed chunk, on the page of {run}/{document}, and its text is merged. To mend the page first:
    {python} examples/make_pdf.py {contract} --mend
  Missed it? Restart a phase on the page of its job: the workers, who wait, do everything again.
  Force-complete {run}-frames-without-total: its worker sent 8 frames and left
    before anybody told how many there are, so after {ttl} s the job is stuck.

Hashes, texts, faces and logs are in {data}. Ctrl-C stops everything.
"""


def welcome(url: str, *, account: tuple[str, str]) -> str:
    """Where to look, said as soon as there is something to see."""
    name, password = account
    return WELCOME.format(url=url, name=name, password=password)


def tour(*, run: str, pids: dict[str, int], page: int, pictures: Path, people: Path, contract: Path, data: Path) -> str:
    """Who works on what, and what to try."""
    return TOUR.format(
        workers=f"{len(pids)} workers" if len(pids) > 1 else "One worker",
        folder=shown(pictures),
        people=shown(people),
        run=run,
        pids="".join(f"  {worker}  pid {pid}\n" for worker, pid in pids.items()),
        pid=next(iter(pids.values())),
        contract=shown(contract),
        document=contract.name,
        page=page,
        lease=LEASE_SECONDS,
        mend=mending(pictures),
        python=shown(Path(sys.executable)),
        ttl=FRAMES_TTL,
        data=shown(data),
    )


def mending(folder: Path) -> str:
    """How to make a picture that the demo has drawn broken a good one."""
    good, bad = folder / "00" / "picture-0000.jpg", folder / "broken" / "empty.jpg"
    return f" To mend one first:\n    cp {shown(good)} {shown(bad)}" if good.exists() and bad.exists() else ""
