"""Claims that are made ahead: while batches are quick, the next one is claimed during the present one."""

from __future__ import annotations

from itertools import islice

import pytest
from progress_client import Client, claim_loop

from tests.client.grounds import counts
from tests.examples.site import Site, eventually

BATCH = 2


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
