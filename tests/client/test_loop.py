"""The loop of a worker: what becomes of an item, and when the loop ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from threading import Thread
from typing import Any

import pytest
from progress_client import Client, Fail, Item, Job, LeaseLost, NotFound, NotPermitted, Skip, WrongState

from tests.client.grounds import counts, phase_of
from tests.examples.site import Site, eventually

Another = Callable[..., Client]
ITEM_ERROR_LENGTH = 500


def do(job: Job, deed: Callable[[Item], Any], **options: Any) -> list[str]:
    """Run the loop over these items; the keys that came."""
    keys = []
    for item in job.claim(**options):
        with item:
            keys.append(item.key)
            item.result = deed(item)
    return keys


def rows(site: Site, name: str) -> dict[str, dict[str, Any]]:
    job = site.job(name)
    assert job is not None
    return {item["key"]: item for item in site.items(job)}


def test_every_item_comes_once_and_the_loop_ends_with_the_job(client: Client, site: Site, name: str) -> None:
    keys = [f"k{number}" for number in range(250)]
    job = client.job(name, items=keys)
    assert do(job, lambda item: None, batch=16) == keys
    assert job.refresh().status == "completed"
    assert counts(site, name) == (250, 0, 0, 0)


def raising(error: BaseException) -> Callable[[Item], Any]:
    def deed(item: Item) -> None:
        raise error

    return deed


def telling(verb: str, *arguments: Any) -> Callable[[Item], Any]:
    return lambda item: getattr(item, verb)(*arguments)


@pytest.mark.parametrize(
    ("deed", "status", "error", "result"),
    [
        (lambda item: None, "completed", "", {}),
        (lambda item: {"width": 3}, "completed", "", {"width": 3}),
        (lambda item: [1, 2], "completed", "", {"value": [1, 2]}),
        (raising(ValueError("truncated file")), "failed", "ValueError: truncated file", {}),
        (raising(KeyError()), "failed", "KeyError", {}),
        (raising(Fail("the lamp is broken")), "failed", "the lamp is broken", {}),
        (raising(Skip("a duplicate")), "skipped", "a duplicate", {}),
        (raising(ValueError("\udc80 \0 " + "x" * 9000)), "failed", None, {}),
        (telling("fail", "no"), "failed", "no", {}),
        (telling("skip"), "skipped", "", {}),
        (lambda item: object(), "failed", None, {}),
        (lambda item: float("nan"), "failed", None, {}),
        (lambda item: "x" * 17_000, "failed", None, {}),
    ],
)
def test_what_becomes_of_an_item(
    client: Client, site: Site, name: str, deed: Any, status: str, error: str | None, result: Any
) -> None:
    keys = do(client.job(name, items=["a"]), deed, batch=1)
    row = rows(site, name)["a"]
    assert keys == ["a"]
    assert (row["status"], row["result"], row["worker"]) == (status, result, "w1")
    assert row["error"] == error if error is not None else 0 < len(row["error"]) <= ITEM_ERROR_LENGTH


def test_one_result_that_is_refused_takes_no_other_with_it(client: Client, site: Site, name: str) -> None:
    job = client.job(name, items=[str(number) for number in range(60)])
    do(job, lambda item: "x" * 17_000 if item.key in ("7", "50") else "good")
    assert counts(site, name) == (58, 2, 0, 0)
    assert "16 KiB" in rows(site, name)["7"]["error"]


def test_the_first_word_on_an_item_counts(client: Client, site: Site, name: str) -> None:
    def deed(item: Item) -> None:
        item.complete({"n": 1})
        raise ValueError("after the fact")

    do(client.job(name, items=["a"]), deed)
    assert rows(site, name)["a"]["result"] == {"n": 1}


def test_an_interrupted_item_is_given_back_at_once_with_all_that_was_not_begun(
    another: Another, site: Site, name: str
) -> None:
    client = another()
    job = client.job(name, items=["a", "b", "c"])

    def end(item: Item) -> None:
        if item.key == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), client:
        do(job, end)
    assert counts(site, name) == (1, 0, 0, 2)


def test_a_closed_client_gives_back_what_somebody_still_has_in_hand(another: Another, site: Site, name: str) -> None:
    client = another()
    items = client.job(name, items=["a", "b", "c"]).claim(batch=2)
    in_hand = next(items)
    client.close()
    assert in_hand.outcome == "pending"
    assert counts(site, name) == (0, 0, 0, 3)


def test_who_breaks_out_of_the_loop_gives_back_what_it_was_not_handed(client: Client, site: Site, name: str) -> None:
    job = client.job(name, items=map(str, range(20)))
    for item in job.claim(batch=10):
        with item:
            break
    client.flush()
    assert counts(site, name) == (1, 0, 0, 19)


def test_a_lost_lease_reaches_the_item_and_not_the_loop(
    client: Client, another: Another, site: Site, operator: str, name: str
) -> None:
    job = client.job(name, items=["a", "b"])
    lead = another(token=operator)
    said = []

    def deed(item: Item) -> None:
        if item.attempt == 1 and item.key == "a":
            lead.open(job.id).release(all=True)
            eventually(lambda: item.lost, what="the news that the item is lost")
            try:
                item.check()
            except LeaseLost as error:
                said.append(str(error))
                raise

    keys = do(job, deed, batch=1, lease_seconds=1)
    assert keys == ["a", "a", "b"]
    assert len(said) == 1
    assert counts(site, name) == (2, 0, 0, 0)
    assert rows(site, name)["a"]["attempt"] == 3


def test_leases_are_renewed_while_an_item_is_worked_on(client: Client, site: Site, name: str) -> None:
    job = client.job(name, items=["a", "b"])
    ends = []

    def deed(item: Item) -> None:
        begun = rows(site, name)["b"]["lease_expires_at"]
        ends.append(eventually(lambda: rows(site, name)["b"]["lease_expires_at"] > begun, what="a renewal"))

    for item in job.claim(batch=2, lease_seconds=1):
        with item:
            deed(item) if item.key == "a" else None
    assert ends
    assert {row["attempt"] for row in rows(site, name).values()} == {1}


def test_a_cancelled_job_ends_the_loop_and_loses_the_item(
    client: Client, another: Another, operator: str, name: str
) -> None:
    job = client.job(name, items=map(str, range(50)))

    def deed(item: Item) -> None:
        another(token=operator).open(job.id).cancel(reason="no longer needed")
        eventually(lambda: item.lost, what="the news")
        item.check()

    assert do(job, deed, batch=10, lease_seconds=1) == ["0"]
    assert job.refresh().status == "cancelled"


def test_a_loop_waits_for_what_others_hold_and_for_what_comes_later(
    client: Client, another: Another, site: Site, name: str
) -> None:
    open_list = client.job(name)
    keys: list[str] = []
    thread = Thread(target=lambda: keys.extend(do(open_list, lambda item: None)))
    thread.start()
    job = another().open(open_list.id)
    job.add_items(["a", "b"])
    eventually(lambda: len(keys) == 0 and counts(site, name)[0] == 2, what="two done items")
    assert thread.is_alive()
    job.finish()
    thread.join(10)
    assert keys == ["a", "b"]


def test_without_waiting_a_loop_ends_when_there_is_nothing(client: Client, another: Another, name: str) -> None:
    job = client.job(name, items=["a", "b"])
    held = next(iter(another().open(job.id).claim(batch=1)))
    assert held.key == "a"
    assert do(job, lambda item: None, wait=False) == ["b"]


def test_a_stopped_client_ends_its_loops_after_the_item_in_hand(client: Client, site: Site, name: str) -> None:
    job = client.job(name, items=map(str, range(20)))
    assert do(job, lambda item: client.stop()) == ["0"]
    client.close()
    assert counts(site, name) == (1, 0, 0, 19)


def test_the_common_claim_brings_items_of_any_job(client: Client, site: Site, name: str) -> None:
    phase = {"code": f"ocr-{client.job(name).id}"}
    for number in range(3):
        client.job(f"{name}/{number}", phases=[phase], items=["a", "b"])
    found = []
    for item in client.claim(phase=phase["code"], batch=4, wait=False):
        with item:
            found.append((item.job, item.phase, item.key))
    client.flush()
    assert len(set(found)) == 6
    assert [counts(site, f"{name}/{number}")[0] for number in range(3)] == [2, 2, 2]


def test_a_large_job_cannot_finish_half_listed(client: Client, another: Another, site: Site, name: str) -> None:
    client.job(name, items=map(str, range(5001)))
    assert phase_of(site, name)["expected"] == 5001
    again = another().job(name, items=map(str, range(5003)))
    assert again.body["phases"][0]["expected"] == 5003


def test_new_items_of_a_finished_job_need_to_reopen_it(client: Client, name: str) -> None:
    do(client.job(name, items=["a"]), lambda item: None)
    with pytest.raises(WrongState, match="reopen"):
        client.job(name, items=["a", "b"])
    assert do(client.job(name, items=["a", "b"], reopen=True), lambda item: None) == ["b"]


def test_a_token_that_is_not_valid_ends_the_loop_with_the_servers_sentence(
    another: Another, client: Client, name: str
) -> None:
    job = another(token="wrong")
    with pytest.raises(NotPermitted, match="Invalid token"):
        list(job.claim(phase="items", wait=False))


def test_jobs_are_found_by_name_and_by_id(client: Client, name: str) -> None:
    made = client.job(name, items=["a"])
    assert client.find(name).id == client.open(made.id).id == client.named(made.id).id == client.named(name).id  # type: ignore[union-attr]
    assert client.find("unknown") is None
    with pytest.raises(NotFound):
        client.named("unknown")
    assert [job.name for job in islice(client.jobs(q=name, ordering="name"), 1)] == [name]
    assert [item["key"] for item in made.items(status="pending")] == ["a"]
