"""Bad names in addresses, and topics and jobs that fail: they close one socket and disturb no other."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.live import hub, topics
from jobs.models import RowFailure
from tests.factories import complete, make_job, phase_of
from tests.jobs.live.conftest import Watch, run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("project", ["a%00b", "%00", "a%07", "a%E2%80%AEb", "x" * 129, "a%C2%85b"])
async def test_a_project_that_no_job_can_have_closes_with_4400_and_its_reason(
    viewer: str, watch: Watch, project: str
) -> None:
    job = await run(make_job, items=2, project="a")
    sound = watch("/ws/projects/a", session_key=viewer)
    await sound.begin()
    browser = await watch(f"/ws/projects/{project}", session_key=viewer).open()
    event = await browser.socket.receive_output(timeout=5)
    assert (event["type"], event["code"]) == ("websocket.close", 4400)
    assert event["reason"].startswith("project: ")
    await run(complete, await run(phase_of, job), 1)
    assert (await sound.hear_job())["phases"][0]["done"] == 1
    assert not await run(RowFailure.objects.exists)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "ack", "id": 99999999999999999999999999, "revision": 1}',
        '{"type": "sync", "revisions": {"99999999999999999999999999": 1}}',
        '{"type": "sync", "revisions": {"1": -99999999999999999999999999}}',
        '{"type": "sync", "revisions": {"a\\u0000b": 1}}',
    ],
)
async def test_numbers_and_names_that_no_database_holds_are_no_error(viewer: str, watch: Watch, text: str) -> None:
    job = await run(make_job, items=2)
    browser = watch("/ws/jobs", session_key=viewer)
    await browser.begin()
    await browser.socket.send_to(text_data=text)
    await run(complete, await run(phase_of, job), 1)
    while (message := await browser.hear()).get("job", {}).get("phases", [{"done": 0}])[0]["done"] == 0:
        assert message["type"] in ("job", "gone")


async def test_a_topic_that_fails_closes_its_sockets_and_no_other(
    viewer: str, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await run(make_job, items=2, project="good")
    good, bad = (watch(f"/ws/projects/{name}", session_key=viewer) for name in ("good", "bad"))
    await good.begin()
    await bad.begin()
    real = topics._listed

    def listed(topic: topics.Topic) -> dict[int, int]:
        if topic.projects == frozenset({"bad"}):
            raise ValueError("poisoned")
        return real(topic)

    monkeypatch.setattr(topics, "_listed", listed)
    assert await bad.closed() == 1013
    await run(complete, await run(phase_of, job), 1)
    assert (await good.hear_job())["phases"][0]["done"] == 1
    assert await run(lambda: RowFailure.objects.get().step) == "live.topic"


async def test_a_job_that_cannot_be_loaded_keeps_no_other_from_its_list(
    viewer: str, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, *others = [await run(make_job, items=3, name=name) for name in ("bad", "b", "c", "d")]
    module: Any = hub.__globals__
    real = module["load"]

    def load(job_ids: Any) -> Any:
        if bad.pk in job_ids:
            raise ValueError("poisoned")
        return real(job_ids)

    monkeypatch.setitem(module, "load", load)
    browser = watch("/ws/jobs", session_key=viewer)
    assert {job["id"] for job in await browser.begin()} == {job.pk for job in others}
    for job in (bad, *others):
        await run(complete, await run(phase_of, job), 1)
    heard = {(await browser.hear_job())["id"] for _ in others}
    assert heard == {job.pk for job in others}
    assert await run(lambda: RowFailure.objects.get().number) == 1
    assert hub().rooms
