"""The websockets: every route for every role, compared with `expected.txt`."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.access.callers import Caller, make_callers
from tests.access.projects import FOREIGN, OWN
from tests.access.routes import PARAMETER, socket_routes
from tests.access.table import read_table
from tests.factories import make_job
from tests.jobs.live.conftest import Browser, Watch, _connections_go_back_to_their_pool, run, watch

__all__ = ["_connections_go_back_to_their_pool", "watch"]

RULES = read_table().rules["socket"]
OPEN = "101"


def test_every_route_of_the_websockets_has_an_expectation() -> None:
    assert {(path, "GET") for path in socket_routes()} == set(RULES)


@pytest.mark.django_db(transaction=True)
async def test_every_role_is_answered_as_the_table_says(watch: Watch) -> None:
    callers: dict[str, Caller] = await run(make_callers)
    jobs = {name: await run(make_job, project=name) for name in (OWN, FOREIGN)}
    wrong = []
    for (path, _), rule in RULES.items():
        for target in (OWN, FOREIGN) if PARAMETER.search(path) else (OWN,):
            values = {"job_id": str(jobs[target].pk), "project": quote(target)}
            at = "/" + PARAMETER.sub(lambda found, values=values: values[found[1]], path)
            for caller in callers.values():
                answered = await answer_to(watch(at, session_key=caller.session_key))
                if answered != (expected := rule.answer(caller, target)):
                    wrong.append((path, target, caller.name, f"{answered}, not {expected}"))
    assert not wrong, "\n".join(map(str, wrong))


async def answer_to(browser: Browser) -> str:
    """Open a socket; return the code that closes it, or that it is open."""
    await browser.open()
    event = await browser.socket.receive_output(timeout=10)
    while event["type"] == "websocket.send" and '"snapshot"' not in event["text"]:
        event = await browser.socket.receive_output(timeout=10)
    if event["type"] == "websocket.close":
        return str(event["code"])
    await browser.leave()
    return OPEN
