"""The types of bodies are those of the site, and those that a type checker sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from progress_client import Client, bodies

from tests.client.grounds import PACKAGE
from tests.examples.site import Site

SNIPPET = """
from progress_client import AsyncClient, Client
job = Client().job("a", items=["a", {"key": "b", "payload": {}}], phases=[{"code": "items"}])
reveal_type(job.announce(3)["phase"]["expected"])
reveal_type(job.report([{"key": "a", "status": "completed"}])["results"][0]["outcome"])
reveal_type(job.body["phases"][0]["code"])
reveal_type([row["attempt"] for row in job.items()])
reveal_type(job.retry()["changed"])

async def main() -> None:
    job = await AsyncClient().job("a")
    reveal_type((await job.count(done=1))["applied"])
    reveal_type([body["stage"] async for body in job.watch()])
"""
REVEALED = ["int | None", "str", "str", "list[int]", "int", "bool", "list[str]"]


def check(body: Any, kind: Any) -> None:
    """The body has every field that its type promises; the site may add others."""
    assert kind.__required_keys__ <= body.keys(), kind.__required_keys__ - body.keys()


def test_every_body_has_the_fields_of_its_type(site: Site, operator: str, folder: Path, name: str) -> None:
    with Client(site.url, token=operator, journal=folder) as client:
        job = client.job(name, items=["a", "b", "c"], retries=0)
        check(job.add_items(["d"]), bodies.Added)
        check(job.announce(4), bodies.Announced)
        item = next(job.claim(batch=1, progress=False))
        item.link("log", "http://x")
        item.fail("no")
        client.flush()
        reported = job.report([{"key": "b", "status": "failed"}, {"key": "x", "status": "completed"}])
        check(reported, bodies.Reported)
        [check(row, bodies.ResultBody) for row in reported["results"]]
        check(job.refresh().body, bodies.JobBody)
        check(job.body["phases"][0], bodies.PhaseBody)
        check(job.body["phases"][0]["current"], bodies.Current)
        [check(row, bodies.ItemBody) for row in job.items()]
        check(job.heartbeat(), bodies.Beat)
        check(job.progress(), bodies.Figures)
        [check(row, bodies.ErrorGroup) for row in job.errors()]
        attempts = job.attempts(item.id)
        check(attempts, bodies.Attempts)
        check(attempts["results"][0], bodies.Attempt)
        check(attempts["results"][0]["links"][0], bodies.Link)
        timeline = job.timeline()
        check(timeline, bodies.Timeline)
        [check(row, bodies.EventBody) for row in timeline["results"]]
        act = job.skip([999_999])
        check(act, bodies.Act)
        check(act["refused"][0], bodies.RefusedItem)
        other = client.job(f"{name}/2", phases=[{"code": "fit"}])
        check(other.count(done=1), bodies.Counted)
        check(other.finish(), bodies.PhaseBody)
        check(other.delete(reason="over", undelivered=True), bodies.Act)


def test_a_type_checker_sees_them(tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(SNIPPET)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "snippet.py"]
    said = subprocess.run(
        command,
        cwd=tmp_path,
        env={"MYPYPATH": str(PACKAGE), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert [line.split('"')[1] for line in said.splitlines() if "Revealed type" in line] == REVEALED, said
    assert "error" not in said
