"""Loops, tqdm, pandas, futures and joblib as jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import joblib
import pandas
import pytest
from progress_client import Client
from progress_client.integrations import futures, loops, reporter
from progress_client.integrations.joblib import Parallel
from progress_client.integrations.tqdm import tqdm, trange

from tests.client.grounds import network
from tests.client.integrations.conftest import Program
from tests.examples.site import Site, eventually


def over(site: Site, name: str) -> dict[str, Any]:
    """The job once it has ended."""

    def ended() -> Any:
        job = site.job(name)
        return job if job and job["status"] in ("completed", "failed") else None

    job: dict[str, Any] = eventually(ended, what="the end of the job")
    return job


def summary(site: Site, name: str) -> tuple[str, int, int | None, str]:
    """status, done, expected and error."""
    job = over(site, name)
    return job["status"], job["phases"][0]["done"], job["phases"][0]["expected"], job["error"]


def test_a_tracked_loop_is_counted_and_completes(client: Client, site: Site, name: str) -> None:
    assert list(loops.track(["a", "b", "c"], name, client=client)) == ["a", "b", "c"]
    assert summary(site, name) == ("completed", 3, 3, "")


def test_a_loop_of_unknown_length_completes_with_what_it_has_done(client: Client, site: Site, name: str) -> None:
    assert sum(loops.track(iter(range(5)), name, client=client)) == 10
    assert summary(site, name) == ("completed", 5, 5, "")


def test_many_passes_are_few_requests(client: Client, site: Site, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(reporter, "EVERY_SECONDS", 1.0)
    once = client._session.transport.once
    monkeypatch.setattr(client._session.transport, "once", lambda *words: (sent.append(words[1]), once(*words))[1])
    began = time.monotonic()
    for _ in loops.track(range(100_000), name, client=client):
        pass
    seconds = time.monotonic() - began
    assert summary(site, name)[:3] == ("completed", 100_000, 100_000)
    assert len([path for path in sent if path.endswith("/count")]) <= seconds + 2


def test_a_loop_that_is_left_fails_with_the_place(client: Client, site: Site, name: str) -> None:
    assert list(islice(loops.track(range(10), name, client=client), 4)) == [0, 1, 2, 3]
    # The fourth pass has not come to its end.
    assert summary(site, name) == ("failed", 3, 10, "Items failed: The loop ended after 3 of 10.")


def test_a_program_that_dies_in_the_loop_fails_the_job(program: Program, site: Site, name: str) -> None:
    done = program("""
import sys
from progress_client.integrations.loops import track
passes = track(range(10), sys.argv[1])
next(passes), next(passes)
import os, threading
raise KeyError("no such lamp")
""", name)  # fmt: skip
    assert "no such lamp" in done.stderr
    assert summary(site, name)[0] == "failed"


def test_a_loop_neither_waits_nor_fails_without_a_site(
    client: Client, another: Callable[..., Client], site: Site, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", logger="progress_client")
    with network(site) as proxy:
        proxy.cut()
        away = another(proxy.url)
        began = time.monotonic()
        assert len(list(loops.track(range(1000), name, client=away))) == 1000
        assert time.monotonic() - began < 1
        eventually(lambda: "waits for the site" in caplog.text, what="a line in the log", seconds=15)
        proxy.mode = "pass"
        assert summary(site, name)[:3] == ("completed", 1000, 1000)
    assert caplog.text.count("waits for the site") == 1


def test_a_program_without_a_token_does_its_work_and_says_so(program: Program, name: str) -> None:
    code = "from progress_client.integrations.loops import track\nprint(sum(track(range(4))))"
    done = program(code, PROGRESS_TOKEN="")
    assert (done.returncode, done.stdout) == (0, "6\n")
    assert done.stderr.count("A token is needed") == 1


def test_tqdm_counts_its_passes(client: Client, site: Site, name: str) -> None:
    assert list(tqdm(["a", "b"], job=name, client=client, disable=True)) == ["a", "b"]
    assert summary(site, name) == ("completed", 2, 2, "")


def test_tqdm_draws_its_bar_too(client: Client, site: Site, capfd: pytest.CaptureFixture[str], name: str) -> None:
    for _ in trange(3, job=name, client=client, mininterval=0):
        pass
    assert "3/3" in capfd.readouterr().err
    assert summary(site, name)[:3] == ("completed", 3, 3)


def test_tqdm_counts_by_hand(client: Client, site: Site, name: str) -> None:
    with tqdm(total=10, job=name, client=client, disable=True) as bar:
        bar.update(2.5)
        bar.update(7.5)
    assert summary(site, name) == ("completed", 10, 10, "")


def test_tqdm_names_the_exception_that_ended_it(client: Client, site: Site, name: str) -> None:
    with pytest.raises(ValueError), tqdm(total=10, job=name, client=client) as bar:  # noqa: PT012
        bar.update(3)
        raise ValueError("no such lamp")
    assert summary(site, name) == ("failed", 3, 10, "Items failed: ValueError: no such lamp")


def test_tqdm_left_by_break_fails(client: Client, site: Site, name: str) -> None:
    for number in tqdm(range(10), job=name, client=client, disable=True):
        if number == 4:
            break
    assert summary(site, name) == ("failed", 4, 10, "Items failed: The loop ended after 4 of 10.")


def test_progress_apply_of_pandas(client: Client, site: Site, name: str) -> None:
    tqdm.pandas(job=name, client=client, disable=True)
    frame = pandas.Series([1, 2, 3])
    assert list(frame.progress_apply(lambda value: value * 2)) == [2, 4, 6]
    job = over(site, name)
    assert (job["status"], job["phases"][0]["done"]) == ("completed", 3)


def work(number: int) -> int:
    if number == 2:
        raise ValueError("no such lamp")
    return number


def test_futures_are_items_with_their_errors(client: Client, site: Site, name: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        named = {f"{number}.jpg": pool.submit(work, number) for number in range(4)}
        futures.watch(named, name, client=client)
    job = over(site, name)
    items = {item["key"]: (item["status"], item["error"]) for item in site.items(job)}
    assert items["2.jpg"] == ("failed", "ValueError: no such lamp")
    assert [items[f"{number}.jpg"] for number in (0, 1, 3)] == [("completed", "")] * 3


def test_cancelled_futures_are_skipped(client: Client, site: Site, name: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        listed = [pool.submit(time.sleep, 0.2), pool.submit(work, 1), pool.submit(work, 3)]
        listed[2].cancel()
        watch = futures.watch(listed, name, client=client)
    assert watch.close(timeout=10)
    phase = over(site, name)["phases"][0]
    assert (phase["done"], phase["skipped"], phase["failed"]) == (2, 1, 0)


@pytest.mark.parametrize("backend", ["threading", "sequential", "loky"])
def test_joblib_counts_its_calls(client: Client, site: Site, name: str, backend: str) -> None:
    calls = [joblib.delayed(abs)(-number) for number in range(20)]
    results = Parallel(n_jobs=2, backend=backend, job=name, client=client)(calls)
    assert results == list(range(20))
    assert summary(site, name) == ("completed", 20, 20, "")


def test_joblib_with_results_one_by_one(client: Client, site: Site, name: str) -> None:
    parallel = Parallel(n_jobs=2, backend="threading", return_as="generator", job=name, total=20, client=client)
    assert sum(parallel(joblib.delayed(abs)(number) for number in range(20))) == 190
    assert summary(site, name) == ("completed", 20, 20, "")


def test_joblib_fails_with_its_call(client: Client, site: Site, name: str) -> None:
    with pytest.raises(ValueError):
        Parallel(n_jobs=2, backend="threading", job=name, client=client)(joblib.delayed(work)(2) for _ in range(3))
    status, _, _, error = summary(site, name)
    assert (status, error) == ("failed", "Items failed: ValueError: no such lamp")
