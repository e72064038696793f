"""Processes that end: killed, asked to, interrupted."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from progress_client import Client

from tests.client.grounds import counts, network, worker
from tests.examples.site import Site, eventually, working
from tests.plan import size

Another = Callable[..., Client]
MANY = size(2_000, full=10_000)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_killed_worker_with_a_full_buffer_has_lost_nothing(
    client: Client, another: Another, site: Site, folder: Path, name: str
) -> None:
    slowly = ("--seconds", "0.02", "--worker", "dies")
    with network(site) as proxy:
        client.job(name, items=map(str, range(50)))
        process = worker(site, name, "--batch", "20", *slowly, journal=folder, url=proxy.url)
        with working([process]):
            handled = [first_line(process)]
            proxy.cut()
            handled += [first_line(process) for _ in range(9)]
            process.kill()
        proxy.mode = "pass"
        reported = counts(site, name)[0]
        heir = another(proxy.url, worker="heir")
        assert heir.replay()
        done = counts(site, name)[0]
        assert len(handled) - 1 <= done <= 20
        assert done > reported
        assert heir.replay()
        assert counts(site, name)[0] == done
    assert not [path for path in folder.iterdir() if path.name.startswith("dies")]


def test_a_worker_that_waits_takes_over_what_a_dead_one_has_left(
    client: Client, site: Site, folder: Path, name: str
) -> None:
    with network(site) as proxy:
        client.job(name, items=["a", "b", "c"])
        living = worker(site, name, "--batch", "1", "--seconds", "0", journal=folder, url=proxy.url)
        process = worker(site, name, "--batch", "3", "--worker", "dies", journal=folder, url=proxy.url)
        with working([living, process]):
            out, _ = living.communicate(timeout=20)
            others, _ = process.communicate(timeout=20)
        assert sorted((out + others).split()) == ["a", "b", "c"]
    assert counts(site, name) == (3, 0, 0, 0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -2)])
def test_a_worker_that_is_asked_to_end_gives_back_what_is_unfinished(
    client: Client, site: Site, folder: Path, name: str, number: int, code: int
) -> None:
    client.job(name, items=map(str, range(20)))
    process = worker(site, name, "--batch", "10", "--seconds", "0.2", journal=folder)
    with working([process]):
        begun = [first_line(process)]
        process.send_signal(number)
        out, _ = process.communicate(timeout=10)
        assert process.returncode in (code, 1 if number == signal.SIGINT else code)
    done, failed, processing, pending = counts(site, name)
    assert (failed, processing) == (0, 0)
    begun += out.split()
    assert done in (len(begun) - 1, len(begun))
    assert pending == 20 - done
    with Client(site.url, token=site.token, journal=folder) as following:
        following.replay()  # what was written down in the very moment of the end
    assert counts(site, name)[0] in (done, len(begun))
    assert not list(folder.iterdir())


def test_a_program_that_never_closes_its_client_tells_what_waits_at_its_end(
    client: Client, site: Site, folder: Path, name: str, tmp_path: Path
) -> None:
    script = tmp_path / "hasty.py"
    script.write_text(
        "import sys\nfrom progress_client import Client\n"
        "for item in Client().job(sys.argv[1]).claim(batch=2):\n"
        "    with item:\n        pass\n    break\n"
    )
    client.job(name, items=["a", "b"])
    process = worker(site, name, journal=folder, script=str(script))
    assert process.communicate(timeout=20)[1] == ""
    assert counts(site, name) == (1, 0, 0, 1)


@pytest.mark.full
def test_eight_processes_do_very_many_items_each_exactly_once(
    client: Client, site: Site, folder: Path, name: str
) -> None:
    client.job(name, items=map(str, range(MANY)))
    processes = [worker(site, name, "--batch", str(MANY // 50), journal=folder) for _ in range(8)]
    with working(processes):
        handled = [key for process in processes for key in process.communicate(timeout=60)[0].split()]
    assert sorted(handled, key=int) == [str(number) for number in range(MANY)]
    assert counts(site, name) == (MANY, 0, 0, 0)
    eventually(lambda: client.find(name).status == "completed", what="the end of the job")  # type: ignore[union-attr]
