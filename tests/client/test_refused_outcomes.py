"""Outcomes that the site refuses for good are kept in the dead file and can be sent again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from progress_client import Client
from progress_client.command import main

from tests.client.gateway import HTML, Foreign, Gateway, problem
from tests.client.grounds import counts
from tests.examples.site import Site, eventually

Another = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("quick_retries")


def test_what_the_site_refuses_is_kept_in_the_dead_file_and_named_in_the_log(
    another: Another, gateway: Gateway, site: Site, folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a", "b"])
    gateway.always(problem(404, "not_found", detail="There is no job 7."), path="/report")
    with caplog.at_level("ERROR", logger="progress_client"):
        job.tell("a", result={"n": 1})
        job.tell("b", status="failed", error="no")
        assert client.flush()
    [file] = folder.glob("dead.*")
    assert str(file) in caplog.text
    assert "There is no job 7." in caplog.text
    [first, second] = client.refused
    assert (first["job"], first["phase"], first["key"], first["worker"]) == (job.id, "items", "a", "w2")
    assert (first["status"], first["code"], first["detail"]) == (404, "not_found", "There is no job 7.")
    assert first["result"]["result"] == {"n": 1}
    assert second["result"]["error"] == "no"
    gateway.always(None)
    client.close()
    heir = another(gateway.url, worker="heir")
    assert len(heir.refused) == 2
    assert heir.replay(refused=True)
    assert heir.refused == []
    assert counts(site, name) == (1, 1, 0, 0)


def test_without_a_journal_refused_outcomes_are_kept_in_memory(gateway: Gateway, site: Site, name: str) -> None:
    with Client(gateway.url, token=site.token, journal=None) as client:
        job = client.job(name, items=["a"])
        gateway.always(problem(409, "wrong_state"), path="/report")
        job.tell("a")
        assert client.flush()
        gateway.always(None)
        assert [row["key"] for row in client.refused] == ["a"]
        assert client.replay(refused=True)
        assert (client.refused, counts(site, name)) == ([], (1, 0, 0, 0))


def test_an_item_that_the_site_answers_for_with_no_is_kept_as_well(client: Client, operator: str, name: str) -> None:
    job = client.job(name, items=["a"])
    job.tell("unknown", result={"n": 1})
    assert client.flush()
    assert [(row["key"], row["code"]) for row in client.refused] == [("unknown", "invalid")]
    [item] = [item for item in job.claim(batch=1) if client.stop() is None]
    item.give_back()
    client.flush()
    assert len(client.refused) == 1


def test_a_result_that_is_refused_is_kept_and_its_item_fails(client: Client, site: Site, name: str) -> None:
    job = client.job(name, items=["a", "b", "c"])
    for item in job.claim():
        with item:
            item.result = "x" * 17_000 if item.key == "b" else "good"
    assert counts(site, name) == (2, 1, 0, 0)
    [row] = client.refused
    assert (row["key"], len(row["result"]["result"]["value"])) == ("b", 17_000)


def test_a_proxy_that_takes_small_bodies_only_gets_small_ones(
    another: Another, gateway: Gateway, site: Site, name: str
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=map(str, range(40)))
    sizes: list[int] = []
    reply = gateway.reply

    def limited(foreign: Foreign | None, method: str, path: str, headers: dict[str, str], body: bytes):  # type: ignore[no-untyped-def]
        if path.endswith("/report"):
            sizes.append(len(body))
        return (413, HTML, b"<html>") if len(body) > 1000 else reply(foreign, method, path, headers, body)

    gateway.reply = limited  # type: ignore[method-assign]
    for number in range(40):
        job.tell(str(number), result={"text": "x" * 50})
    assert client.flush()
    assert max(sizes) > 1000
    assert counts(site, name) == (40, 0, 0, 0)


def test_one_job_whose_reports_do_not_arrive_holds_no_other_job_up(
    another: Another, gateway: Gateway, site: Site, name: str
) -> None:
    client = another(gateway.url)
    bad, good = client.job(name, items=["a"]), client.job(f"{name}/2", items=["a", "b"])
    gateway.always(Foreign(503, b"", {"Retry-After": "600"}), path=f"/jobs/{bad.id}/")
    bad.tell("a")
    eventually(lambda: gateway.tries("/report") > 0, what="a try")
    for item in good.claim():
        with item:
            pass
    assert counts(site, f"{name}/2") == (2, 0, 0, 0)
    assert counts(site, name) == (0, 0, 0, 1)
    assert gateway.tries(f"/jobs/{bad.id}/phases/items/report") == 1


def test_a_dead_file_that_cannot_be_written_keeps_the_outcome_in_the_journal(
    another: Another, gateway: Gateway, folder: Path, name: str
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a"])
    gateway.always(problem(404, "not_found"), path="/report")
    path = client._session.dead.path
    assert path is not None
    path.mkdir(parents=True)
    job.tell("a")
    eventually(lambda: gateway.tries("/report") > 2, what="more tries")
    path.rmdir()
    assert client.flush()
    assert [row["key"] for row in client.refused] == ["a"]


def test_the_command_lists_what_was_refused_and_sends_it_again(
    client: Client,
    site: Site,
    folder: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.main(["--url", site.url, "--token", site.token, *arguments])
        return code, *capsys.readouterr()

    monkeypatch.setenv("PROGRESS_JOURNAL", str(folder))
    assert run("refused") == (0, "", "progress: No outcomes were rejected.\n")
    job = client.job(name, items=["a"])
    job.tell("late\x1b", result={"n": 1})
    client.flush()
    code, out, _ = run("refused")
    assert (code, f"job {job.id}  items  late·: invalid. " in out) == (0, True)
    assert json.loads(run("refused", "--json")[1])[0]["result"]["result"] == {"n": 1}
    assert run("replay", "--refused")[0] == 0
    assert len(client.refused) == 1
