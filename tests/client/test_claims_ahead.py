"""Claims that are made ahead: while batches are quick, the next one is claimed during the present one."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from progress_client import Client, claim_loop, claim_size

from tests.client.grounds import counts, worker
from tests.client.test_loop import rows
from tests.examples.site import Site, eventually, working

BATCH = 2
KEYS = [f"k{number}" for number in range(8)]

# It does one batch and does not end the first item of the next one.
HANGS = f"""
import sys, time
from progress_client import Client, claim_loop

claim_loop.FAST_BATCH = 60.0
client = Client()
for number, item in enumerate(client.job(sys.argv[1]).claim(batch={BATCH}, lease_seconds=2)):
    with item:
        if number == {BATCH}:
            client.flush()
            time.sleep(60)
"""


def held(site: Site, name: str) -> int:
    """Return the number of leased items."""
    return counts(site, name)[2]


def test_the_next_batch_is_claimed_while_a_quick_one_is_worked_on_and_given_back_at_the_end(
    client: Client, site: Site, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_loop, "FAST_BATCH", 60.0)
    job = client.job(name, items=[f"k{number}" for number in range(20)])
    loop = job.claim(batch=BATCH)
    for item in islice(loop, BATCH):
        with item:
            pass
    third = next(loop)
    client.flush()
    eventually(lambda: held(site, name) == 2 * BATCH, what="a claim ahead")
    with third:
        pass
    loop.close()
    client.flush()
    eventually(lambda: counts(site, name) == (3, 0, 0, 17), what="everything given back")


def test_a_slow_worker_holds_no_more_than_its_batch(
    client: Client, site: Site, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_loop, "FAST_BATCH", 0.0)
    job = client.job(name, items=[f"k{number}" for number in range(8)])
    most = 0
    for item in job.claim(batch=BATCH):
        with item:
            client.flush()
            most = max(most, held(site, name))
    assert most == BATCH
    assert counts(site, name) == (8, 0, 0, 0)


def test_what_a_killed_worker_had_claimed_ahead_is_done_by_another_exactly_once(
    client: Client, site: Site, folder: Path, name: str, tmp_path: Path
) -> None:
    script = tmp_path / "hangs.py"
    script.write_text(HANGS)
    job = client.job(name, items=KEYS)
    process = worker(site, name, journal=folder, script=str(script))
    with working([process]):
        eventually(lambda: held(site, name) == 2 * BATCH, what="a claim ahead")
        process.kill()
    done = []
    for item in job.claim(batch=BATCH):
        with item:
            done.append(item.key)
    assert sorted(done) == KEYS[BATCH:]
    assert counts(site, name) == (len(KEYS), 0, 0, 0)
    found = rows(site, name)
    assert [found[key]["attempt"] for key in KEYS] == [1] * BATCH + [2] * 2 * BATCH + [1] * (len(KEYS) - 3 * BATCH)


def test_claims_of_quick_items_grow_and_slow_ones_give_the_rest_back(
    client: Client, site: Site, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_size, "FIRST", 4)
    monkeypatch.setattr(claim_size, "MOST", 16)
    monkeypatch.setattr(claim_loop, "FAST_BATCH", 60.0)
    job = client.job(name, items=[f"k{number}" for number in range(60)])
    loop = job.claim()
    body, asked = claim_loop.ClaimOptions.body, list[int]()

    def noted(self: claim_loop.ClaimOptions, limit: int) -> dict[str, Any]:
        asked.append(limit)
        return body(self, limit)

    monkeypatch.setattr(claim_loop.ClaimOptions, "body", noted)
    for item in islice(loop, 28):
        with item:
            pass
    assert (asked[:2], max(asked)) == ([4, 8], 16)
    client.flush()
    monkeypatch.setattr(claim_loop, "SLOW_CLAIM", 0.0)
    with next(loop):
        client.flush()
        eventually(lambda: held(site, name) <= 1 + 4 + 16, what="the excess given back")
    loop.close()
    client.flush()
    eventually(lambda: counts(site, name) == (29, 0, 0, 31), what="everything given back")


def test_a_batch_that_the_program_wants_does_not_grow() -> None:
    size = claim_size.ClaimSize(1)
    size.note(is_fast=True)
    assert (size.limit, size.excess(50)) == (1, 0)


def test_slow_items_shrink_the_claims() -> None:
    size = claim_size.ClaimSize(None)
    limits = []
    for is_fast in (True, True, True, True, False, False, True):
        size.note(is_fast=is_fast)
        limits.append(size.limit)
    assert limits == [200, 400, 800, 1000, 500, 250, 500]
    assert (size.excess(100), size.excess(450), size.limit) == (0, 350, 100)
