"""Priority, limits and deletion through the client and its command."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from progress_client import Client, NotFound, WrongState
from progress_client.command.main import main

from tests.examples.site import Site


def test_a_loop_works_through_a_phase_with_a_limit_also_if_it_does_not_wait(client: Client, name: str) -> None:
    keys = [f"k{n}" for n in range(6)]
    job = client.job(name, items=keys, priority=5, phases=[{"code": "a", "max_leased": 2}])
    assert (job.body["priority"], job.body["phases"][0]["max_leased"]) == (5, 2)
    worked = []
    for item in job.claim(batch=10, wait=False, progress=False):
        with item:
            worked.append(item.key)
    assert worked == keys
    assert job.refresh().status == "completed"


def test_operators_set_priority_and_limit_and_delete(
    client: Client, another: Callable[..., Client], operator: str, name: str
) -> None:
    job = another(token=operator).open(client.job(name, items=["a"]).id)
    assert job.priority(-3, reason="later")["job"]["priority"] == -3
    assert job.limit(1)["job"]["phases"][0]["max_leased"] == 1
    assert job.limit(None)["job"]["phases"][0]["max_leased"] is None
    with pytest.raises(WrongState):
        job.delete(reason="over")
    job.cancel()
    assert job.delete(reason="over", undelivered=True)["changed"] == 1
    with pytest.raises(NotFound):
        job.refresh()


def test_the_command_sets_priority_and_limit_and_deletes(
    client: Client, site: Site, operator: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.job(name, items=["a"])

    def run(*words: str) -> int:
        return main(["--url", site.url, "--token", operator, words[0], name, *words[1:]])

    assert run("priority", "-7") == 0
    assert run("limit", "items", "--max-leased", "4") == 0
    assert run("limit", "items", "--max-leased", "none") == 0
    assert run("delete", "--reason", "over") == 4
    assert run("cancel") == 0
    capsys.readouterr()
    assert run("delete", "--reason", "over", "--undelivered") == 0
    assert capsys.readouterr().out == f"Job {name} is deleted.\n"
    assert run("show") == 3
