"""The server away, the network cut: every outcome is counted once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from progress_client import Client, backoff, outcome_queue

from tests.client.grounds import Proxy, counts, network, phase_of, worker
from tests.examples.site import Site, eventually, serving, working

Another = Callable[..., Client]
COUNT = 60


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "LONGEST", 0.3)
    monkeypatch.setattr(outcome_queue, "OLDEST_SECONDS", 0.1)


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    with network(site) as made:
        yield made


def work(client: Client, name: str, handled: list[str], *, seconds: float = 0.005) -> None:
    """Do the items of a job, one after the other."""
    for item in client.job(name).claim(batch=10):
        with item:
            time.sleep(seconds)
            handled.append(item.key)


def test_a_server_that_is_killed_and_comes_back_counts_every_outcome_once(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with serving(tmp_path) as site:
        with Client(site.url, token=site.token, journal=journal) as client:
            client.job("survives", items=map(str, range(COUNT)))
        command = ("survives", "--seconds", "0.03", "--batch", "8")
        workers = [worker(site, *command, journal=journal) for _ in range(2)]
        with working(workers):
            eventually(lambda: counts(site, "survives")[0] > 5, what="a job under way")
            site.kill()
            time.sleep(0.7)
            site.start()
            handled = [key for one in workers for key in one.communicate(timeout=30)[0].split()]
        assert [one.returncode for one in workers] == [0, 0]
        assert sorted(handled, key=int) == [str(number) for number in range(COUNT)]
        assert counts(site, "survives") == (COUNT, 0, 0, 0)
    assert list(journal.iterdir()) == []


@pytest.mark.parametrize("trouble", ["cut", "deaf", "half"])
def test_a_network_that_breaks_in_the_middle_counts_every_outcome_once(
    another: Another, proxy: Proxy, site: Site, name: str, trouble: str
) -> None:
    handled: list[str] = []
    client = another(proxy.url)
    client.job(name, items=map(str, range(COUNT)))
    thread = Thread(target=work, args=(client, name, handled))
    thread.start()
    eventually(lambda: len(handled) > 5, what="a job under way")
    for _ in range(2):
        proxy.cut() if trouble == "cut" else setattr(proxy, "mode", trouble)
        time.sleep(0.3)
        proxy.mode = "pass"
        time.sleep(0.2)
    # What a lost answer to a claim has taken comes back when its lease ends, or an operator releases it.
    eventually(lambda: counts(site, name)[3] == 0, what="the last claim")
    client.stop()
    thread.join(15)
    client.close()
    again: list[str] = []
    rest = another(worker="w3")
    rest.job(name).heartbeat(worker="w2")
    for item in rest.job(name).claim(wait=False):
        with item:
            again.append(item.key)
    rest.flush()
    done, failed, processing, pending = counts(site, name)
    assert len(set(handled)) == len(handled)
    assert not set(handled) & set(again)
    assert done == len(handled) + len(again)
    assert (failed, processing + pending) == (0, COUNT - done)


def test_a_slow_network_slows_nothing_but_the_calls(another: Another, proxy: Proxy, site: Site, name: str) -> None:
    handled: list[str] = []
    proxy.delay = 0.1
    client = another(proxy.url)
    client.job(name, items=map(str, range(COUNT)))
    work(client, name, handled, seconds=0)
    assert len(set(handled)) == len(handled) == COUNT
    assert counts(site, name) == (COUNT, 0, 0, 0)


def test_outcomes_of_a_time_without_a_server_wait_in_the_journal_for_the_next_process(
    another: Another, proxy: Proxy, site: Site, folder: Path, name: str
) -> None:
    first = another(proxy.url, worker="first")
    job = first.job(name, items=["a", "b", "c"])
    for item in job.claim(batch=3):
        proxy.cut()
        with item:
            pass
        if item.key == "b":
            break
    first.close()
    assert counts(site, name) == (0, 0, 3, 0)
    assert [path.suffix for path in folder.iterdir()] == [".jsonl"]
    # The address is what tells servers apart, so the next process must ask for the same one.
    proxy.mode = "pass"
    assert another(proxy.url, worker="second").replay()
    assert counts(site, name) == (2, 0, 0, 1)


def test_what_is_told_again_is_told_once(another: Another, proxy: Proxy, site: Site, name: str) -> None:
    client = another(proxy.url)
    job = client.job(name, items=["a"])
    for item in job.claim(wait=False):
        with item:
            proxy.mode = "deaf"
        # The report has arrived, its answer has not.
        eventually(lambda: phase_of(site, name)["done"] == 1, what="the report")
        proxy.mode = "pass"
    assert client.flush()
    assert phase_of(site, name)["done"] == 1


def test_a_report_for_an_item_that_somebody_else_has_is_dropped_with_a_line(
    another: Another, proxy: Proxy, operator: str, site: Site, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = another(proxy.url)
    job = client.job(name, items=["a"])
    [item] = [item for item in job.claim(wait=False) if proxy.cut() is None and client.stop() is None]
    lead = another(token=operator, worker="w4")
    lead.open(job.id).release(all=True)
    [theirs] = [held for held in lead.open(job.id).claim(wait=False) if lead.stop() is None]
    item.complete()
    proxy.mode = "pass"
    with caplog.at_level("WARNING", logger="progress_client"):
        assert client.flush()
    assert "not counted: a is stale" in caplog.text
    assert counts(site, name) == (0, 0, 1, 0)
    theirs.complete()
    lead.flush()
    assert counts(site, name) == (1, 0, 0, 0)
