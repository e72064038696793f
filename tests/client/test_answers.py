"""Only an answer of a Progress Site ends an outcome; what the site refuses for good is kept in the dead file."""

from __future__ import annotations

import ast
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from progress_client import (
    AsyncClient,
    Client,
    NotFound,
    ProgressTracker,
    Refused,
    Unavailable,
    backoff,
    outcome_queue,
)
from progress_client.answers import VERDICTS, is_expected, verdict
from progress_client.command import main

from tests.client.gateway import HTML, JSON, PROBLEM, TEXT, Foreign, Gateway, gateway_to, problem
from tests.client.grounds import counts, worker, written_down
from tests.examples.site import ROOT, Site, eventually, serving, working

Another = Callable[..., Client]
LOGIN = b"<html><form action='/login'>Please sign in</form>"
ABOUT_THE_REQUEST = {
    "a 404 in text": Foreign(404, b"default backend - 404", TEXT),
    "a 404 in JSON": Foreign(404, b'{"detail": "There is no such job.", "code": "not_found"}', JSON),
    "a problem of another service": Foreign(
        404, b'{"type": "about:blank", "title": "Not Found", "status": 404}', PROBLEM
    ),
    "a problem with a foreign code": problem(404, "NO_ROUTE"),
    "a redirect": Foreign(302, b"", {"Location": "https://login.example.com/"}),
    "a redirect for good": Foreign(308, b"", {"Location": "https://elsewhere.example.com/"}),
    "a 405": Foreign(405, b"<html>", HTML),
    "a 405 of a site's own words": problem(405, "method_not_allowed"),
    "a 400 of a proxy": Foreign(400, b"<h1>400 Bad Request</h1>", HTML),
    "a 400 for the host": problem(400, "host_not_allowed"),
    "a 401 of a proxy": Foreign(401, b"", {"WWW-Authenticate": "Basic"}),
    "a 403 of a firewall": Foreign(403, LOGIN, HTML),
    "a 409 of something else": Foreign(409, b"conflict", TEXT),
    "a 413 of a proxy": Foreign(413, b"<html>", HTML),
    "a 422 of a gateway": Foreign(422, b'{"message": "?"}', JSON),
    "a login page": Foreign(200, LOGIN, HTML),
    "a login page that calls itself JSON": Foreign(200, LOGIN, JSON),
    "other JSON": Foreign(200, b'{"status": "ok"}', JSON),
    "a list": Foreign(200, b"[]", JSON),
    "too few answers": Foreign(200, b'{"results": [], "phase": {}, "cancel_requested": false}', JSON),
    "JSON without an end of nesting": Foreign(200, b"[" * 100_000, JSON),
    "nothing": Foreign(204),
    "an empty 200": Foreign(200),
    "a body that is cut off": Foreign(200, b'{"results": [{"key": "a", "outc', JSON, length=4000),
    "a refusal that is cut off": Foreign(404, b'{"status": 404, "code": "not_fo', TEXT, length=4000),
    "a status between": Foreign(299, b'{"applied": true}', JSON),
    "an unknown status": Foreign(599, b"", TEXT),
}
ANSWERS = pytest.mark.parametrize("foreign", ABOUT_THE_REQUEST.values(), ids=ABOUT_THE_REQUEST.keys())

OF_ANY_CALL = ["a 404 in text", "a problem with a foreign code", "a redirect", "a login page", "other JSON", "nothing"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "LONGEST", 0.1)
    monkeypatch.setattr(outcome_queue, "OLDEST_SECONDS", 0.05)


@pytest.fixture
def gateway(site: Site) -> Iterator[Gateway]:
    with gateway_to(site) as made:
        yield made


@ANSWERS
def test_an_outcome_waits_until_the_site_has_answered(
    another: Another, gateway: Gateway, site: Site, folder: Path, name: str, foreign: Foreign
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a", "b"])
    gateway.always(foreign, path="/report")
    for item in job.claim(wait=False):
        with item:
            item.result = {"by": item.key}
        if item.key == "b":
            break
    eventually(lambda: gateway.tries("/report") > 2, what="more tries")
    assert client.flush(patience=0) is False
    assert client.refused == []
    assert counts(site, name) == (0, 0, 2, 0)
    assert any(b'"entry"' in path.read_bytes() for path in folder.iterdir())
    gateway.always(None)
    assert client.flush()
    assert counts(site, name) == (2, 0, 0, 0)
    assert [item["result"] for item in job.items()] == [{"by": "a"}, {"by": "b"}]


@pytest.mark.parametrize("foreign", [ABOUT_THE_REQUEST[what] for what in OF_ANY_CALL], ids=OF_ANY_CALL)
def test_no_call_takes_a_foreign_answer_for_the_sites(
    another: Another, gateway: Gateway, name: str, foreign: Foreign
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a"])
    client._session.retry_for = 0.0
    gateway.always(foreign)
    calls: list[Callable[[], object]] = [
        lambda: client.job(name, items=["a"]),
        lambda: client.find(name),
        lambda: client.open(job.id),
        lambda: job.announce(3),
        lambda: job.add_items(["b"]),
        lambda: list(job.items()),
        lambda: job.report([{"key": "a", "status": "completed"}]),
        lambda: job.heartbeat(),
        lambda: job.start(),
        lambda: job.finish(),
        lambda: job.progress(),
        lambda: job.timeline(),
        lambda: job.retry(),
        lambda: job.count(done=1),
        lambda: list(job.watch()),
    ]
    for call in calls:
        with pytest.raises(Unavailable):
            call()
    gateway.always(None)


def test_a_claim_and_a_heartbeat_survive_a_foreign_answer(
    another: Another, gateway: Gateway, site: Site, name: str
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a", "b"])
    gateway.always(ABOUT_THE_REQUEST["a 404 in text"])
    done: list[str] = []

    def work() -> None:
        for item in job.claim(batch=1, lease_seconds=1):
            with item:
                done.append(item.key)
                if item.key == "a":
                    gateway.always(ABOUT_THE_REQUEST["a 404 in text"], path="/heartbeat")
                    eventually(lambda: gateway.tries("/heartbeat") > 1, what="heartbeats")
                    item.check()

    thread = threading.Thread(target=work)
    thread.start()
    eventually(lambda: gateway.tries("/claim") > 1, what="claims")
    gateway.always(None)
    thread.join(20)
    assert done == ["a", "b"]
    assert counts(site, name) == (2, 0, 0, 0)


async def test_the_asyncio_twin_waits_as_well(gateway: Gateway, site: Site, folder: Path, name: str) -> None:
    async with AsyncClient(gateway.url, token=site.token, journal=folder) as client:
        job = await client.job(name, items=["a"])
        gateway.always(ABOUT_THE_REQUEST["a 404 in text"], path="/report")
        async for item in job.claim():
            async with item:
                pass
            break
        assert await client.flush(patience=0.3) is False
        gateway.always(None)
        assert await client.flush()
        assert client.refused == []
    assert counts(site, name) == (1, 0, 0, 0)


def test_the_tracker_does_not_take_a_foreign_404_for_an_unknown_job(gateway: Gateway, site: Site, name: str) -> None:
    with ProgressTracker(gateway.url, site.token) as tracker:
        job = tracker.create_job(name, ["a"])
        tracker._session.retry_for = 0.0
        gateway.always(ABOUT_THE_REQUEST["a 404 in text"])
        with pytest.raises(Unavailable):
            tracker.get_progress(job)
        gateway.always(None)


def test_outcomes_outlive_a_foreign_answer_a_kill_and_a_restart(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with serving(tmp_path) as site, gateway_to(site) as gateway:
        with Client(site.url, token=site.token, journal=journal) as maker:
            maker.job("survives", items=map(str, range(20)))
        gateway.always(ABOUT_THE_REQUEST["a 404 in text"], path="/report")
        first = worker(site, "survives", "--batch", "20", journal=journal, url=gateway.url)
        with working([first]):
            assert first.stdout is not None
            handled = [first.stdout.readline().strip() for _ in range(20)]
            eventually(lambda: gateway.tries("/report") > 1, what="a report")
            eventually(lambda: written_down(journal) == 20, what="all outcomes in the journal")
            first.kill()
        site.kill()
        site.start()
        gateway.always(None)
        second = worker(site, "survives", journal=journal, url=gateway.url)
        with working([second]):
            out, _ = second.communicate(timeout=30)
        assert sorted(handled, key=int) == [str(number) for number in range(20)]
        assert out == ""
        assert counts(site, "survives") == (20, 0, 0, 0)
    assert list(journal.iterdir()) == []


def test_a_site_that_refuses_our_host_keeps_nothing_from_being_told_later(
    another: Another, gateway: Gateway, site: Site, name: str
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a"])
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    connection.request("POST", f"/api/v1/jobs/{job.id}/phases/items/report", b"{}", {"Host": "evil.example"})
    response = connection.getresponse()
    raw = response.read()
    gateway.always(Foreign(response.status, raw, {"Content-Type": response.headers["Content-Type"]}), path="/report")
    job.tell("a", result={"n": 1})
    eventually(lambda: gateway.tries("/report") > 1, what="tries")
    assert (response.status, json.loads(raw)["code"]) == (400, "host_not_allowed")
    assert "ALLOWED_HOSTS" in json.loads(raw)["detail"]
    gateway.always(None)
    assert client.flush()
    assert (counts(site, name), client.refused) == ((1, 0, 0, 0), [])


# --- what is refused for good ------------------------------------------------------------------------


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


# --- which answers are ours ----------------------------------------------------------------------------


def test_every_code_that_the_site_refuses_with_is_known_to_the_client() -> None:
    of_the_moment = {"unavailable", "throttled", "server_error", "error", "method_not_allowed", "not_acceptable"}
    of_the_moment |= {"unsupported_media_type", "host_not_allowed", "malformed_request"}
    assert not VERDICTS & of_the_moment
    assert {*codes_of_the_site()} - of_the_moment <= VERDICTS


def codes_of_the_site() -> Iterator[str]:
    """The codes of all errors that the source names."""
    from progress_site.rest.problems import CODES

    yield from CODES.values()
    for app in ("jobs", "ocr_chunks", "training", "progress_site"):
        for path in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Conflict", "BadInput", "problem"):
                    named = [word.value for word in node.keywords if word.arg == "code"]
                elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("code", "default_code", "CODE"):
                    named = [node.value]
                else:
                    continue
                yield from (value.value for value in named if isinstance(value, ast.Constant) and value.value)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (404, "text/plain", {"status": 404, "code": "not_found"}),
        (404, None, {"status": 404, "code": "not_found"}),
        (404, "application/problem+json", {"status": 400, "code": "not_found"}),
        (404, "application/problem+json", {"status": 404, "code": ["not_found"]}),
        (404, "application/problem+json", ["not_found"]),
        (404, "application/problem+json", None),
    ],
)
def test_what_only_resembles_a_problem_is_no_verdict(status: int, content_type: str | None, body: object) -> None:
    assert verdict(status, content_type, body) is None


def test_a_problem_with_a_known_code_is_a_verdict() -> None:
    refused = verdict(404, "application/problem+json; charset=utf-8", {"status": 404, "code": "not_found"})
    assert isinstance(refused, NotFound)
    assert isinstance(refused, Refused)


def test_every_call_of_the_client_has_a_shape() -> None:
    for method, path in (("POST", "/jobs"), ("GET", "/jobs?name=a"), ("POST", "/claim"), ("POST", "/jobs/7/retry")):
        assert not is_expected(method, path, {})
    assert is_expected("GET", "/jobs/7/errors", [])
    assert not is_expected("GET", "/jobs/7/errors", {})
    assert not is_expected("POST", "/jobs/7/phases/a%20b/report", {"results": [], "phase": None})
