"""Texts that the demo prints."""

from __future__ import annotations

import sys
from pathlib import Path

from examples.demo.paths import shown
from examples.demo.scenes import FRAMES_TTL, LEASE_SECONDS

WELCOME = """
Progress Site is at {url}
  sign in as  {name}
  password    {password}
"""

TOUR = """
{workers} hash the pictures of {folder} as job {run}-pictures:
{pids}
Two more read the pages of {contract} as job {run}/{document}; page {page} is broken.
Two more detect and cluster the faces in {people}, as training session {run}-people.

Try this
  Kill a worker:  kill -9 {pid}
    After {lease} s its pictures are pending again, and another worker hashes them.
  Retry a failed picture, on the page of {run}-pictures.{repair}
  Retry the failed chunk, on the page of {run}/{document}, and its text is merged. To repair the page first:
    {python} examples/make_pdf.py {contract} --mend
  To watch it again, restart a phase on the page of its job: the waiting workers process everything again.
  Force-complete {run}-frames-without-total: its worker sent 8 frames and stopped
    without announcing a total, so after {ttl} s the job is stuck.

Hashes, texts, faces and logs are in {data}. Ctrl-C stops everything.
"""


def welcome(url: str, *, account: tuple[str, str]) -> str:
    """Format the address and the account, printed when the server is ready."""
    name, password = account
    return WELCOME.format(url=url, name=name, password=password)


def tour(*, run: str, pids: dict[str, int], page: int, pictures: Path, people: Path, contract: Path, data: Path) -> str:
    """Format the list of workers and the things to try."""
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
        repair=repair_command(pictures),
        python=shown(Path(sys.executable)),
        ttl=FRAMES_TTL,
        data=shown(data),
    )


def repair_command(folder: Path) -> str:
    """Format the command that repairs a broken picture; empty without the demo's own pictures."""
    good, bad = folder / "00" / "picture-0000.jpg", folder / "broken" / "empty.jpg"
    return f" To repair one first:\n    cp {shown(good)} {shown(bad)}" if good.exists() and bad.exists() else ""
