"""Protocol between server and browser."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from jobs import operations
from jobs.live import SocketLimits
from jobs.live.close_reasons import OVER, OVERLOADED, REASON_BYTES, REASONS, denied, flood, unacknowledged
from jobs.models import Job
from jobs.serializers import encode, job_body
from tests.factories import complete, make_job, phase_of
from tests.jobs.live.conftest import Watch, run

pytestmark = pytest.mark.django_db(transaction=True)
QUICK = SocketLimits(tick=0.05, ack_within=0.4, close_after=0.4, ping_every=0.2)


async def test_the_snapshot_comes_first_and_is_the_job_body(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3, done=1)
    shown = await watch(f"/ws/jobs/{job.pk}", session_key=viewer).begin()
    body = await run(lambda: json.loads(encode(job_body(job))))
    assert shown == [body]


async def test_a_change_arrives_as_the_whole_job(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer)
    await browser.begin()
    await run(lambda: complete(phase_of(job), 2))
    shown = await browser.hear_job()
    assert (shown["id"], shown["percent"], shown["phases"][0]["done"]) == (job.pk, 66, 2)


async def test_a_job_that_is_created_appears_in_the_list(viewer: str, watch: Watch) -> None:
    browser = watch("/ws/jobs", session_key=viewer)
    assert await browser.begin() == []
    job = await run(make_job, items=3)
    assert (await browser.hear_job())["id"] == job.pk


async def test_a_deleted_job_is_gone_from_the_list(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3)
    browser = watch("/ws/jobs", session_key=viewer)
    await browser.begin()
    job_id = job.pk
    await run(job.delete)
    assert await browser.hear() == {"type": "gone", "id": job_id}


async def test_the_socket_of_a_deleted_job_says_gone_and_closes_4404(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer)
    await browser.begin()
    job_id = job.pk
    await run(job.delete)
    assert await browser.hear() == {"type": "gone", "id": job_id}
    assert await browser.closed() == 4404


async def test_the_server_pings(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer, limits=QUICK)
    await browser.begin()
    for _ in range(2):
        assert await browser.hear() == {"type": "ping"}
        await browser.say(type="pong")


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[" * 5000,
        "null",
        '{"type":"nothing"}',
        '{"type":"ack","id":-1}',
        '{"type":"ack","id":"7"}',
        '{"type":"sync"}',
        '{"type":"sync","revisions":{"x":1}}',
        '{"type":"ack","id":1e400}',
        "x" * 20_000,
    ],
)
async def test_messages_that_make_no_sense_are_ignored(viewer: str, watch: Watch, text: str) -> None:
    job = await run(make_job, items=3)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer)
    await browser.begin()
    await browser.socket.send_to(text_data=text)
    await browser.socket.send_to(bytes_data=b"\xff\x00")
    await run(lambda: complete(phase_of(job), 1))
    assert (await browser.hear_job())["phases"][0]["done"] == 1


async def test_a_flood_is_closed_with_1008(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer)
    await browser.begin()
    for _ in range(200):
        await browser.say(type="pong")
    assert await browser.closed() == 1008


async def test_acknowledgements_of_frames_are_no_flood(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=60)
    limits = SocketLimits(messages_per_second=0.001, messages_at_once=3)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer, limits=limits)
    await browser.begin()
    for number in range(6):
        await run(lambda number=number: complete(phase_of(job), 1, start=number))
        await browser.hear_job()


async def test_sync_is_answered_with_what_is_newer_and_what_is_gone(viewer: str, watch: Watch) -> None:
    jobs = [await run(make_job, items=3) for _ in range(3)]
    browser = watch("/ws/jobs", session_key=viewer)
    shown = {job["id"]: job["revision"] for job in await browser.begin()}
    old, same, unknown = (job.pk for job in jobs)
    missing = max(shown) + 1000
    await browser.say(type="sync", revisions={old: shown[old] - 1, same: shown[same], missing: 1})
    answers = [await browser.hear() for _ in range(3)]
    assert sorted(answer["job"]["id"] for answer in answers if answer["type"] == "job") == [old, unknown]
    assert {"type": "gone", "id": missing} in answers
    assert await browser.nothing()


async def test_a_sync_with_the_newest_revisions_is_answered_with_nothing(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer)
    (shown,) = await browser.begin()
    await browser.say(type="sync", revisions={job.pk: shown["revision"]})
    assert await browser.nothing()


async def test_no_more_than_eight_frames_are_under_way_and_the_newest_follow(viewer: str, watch: Watch) -> None:
    jobs = [await run(make_job, items=3) for _ in range(10)]
    browser = watch("/ws/jobs", session_key=viewer)
    await browser.begin()
    await asyncio.gather(*(run(lambda job=job: complete(phase_of(job), 1)) for job in jobs))
    first = [(await browser.hear())["job"] for _ in range(8)]
    assert await browser.nothing(seconds=0.6)
    await asyncio.gather(*(run(lambda job=job: complete(phase_of(job), 1, start=1)) for job in jobs))
    assert await browser.nothing(seconds=0.6)
    for job in first:
        await browser.say(type="ack", id=job["id"], revision=job["revision"])
    newest: dict[int, Any] = {}
    while len(newest) < 10 or any(job["phases"][0]["done"] < 2 for job in newest.values()):
        job = await browser.hear_job()
        newest[job["id"]] = job
    assert {job.pk for job in jobs} == set(newest)


async def test_no_acknowledgement_in_time_closes_with_1013(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3)
    browser = await watch(f"/ws/jobs/{job.pk}", session_key=viewer, limits=QUICK).open()
    assert await browser.closed() == 1013


async def test_a_client_that_only_reads_gets_a_hint_before_the_close(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3)
    limits = SocketLimits(tick=0.05, ack_within=0.2)
    browser = await watch(f"/ws/jobs/{job.pk}", session_key=viewer, limits=limits).open()
    assert (await browser.hear())["type"] == "snapshot"
    said = await browser.hear()
    assert (said["type"], said["code"]) == ("closing", 1013)
    assert said["reason"].startswith('No acknowledgement for 0.2 s. Send {"type":"ack"} after a snapshot')
    closed = await browser.socket.receive_output(timeout=5)
    assert closed == {"type": "websocket.close", "code": 1013, "reason": "No acknowledgement for 0.2 s."}


async def test_the_close_of_a_flood_names_the_limit(viewer: str, watch: Watch) -> None:
    browser = watch("/ws/jobs", session_key=viewer, limits=SocketLimits(messages_per_second=1, messages_at_once=2))
    await browser.begin()
    for _ in range(9):
        await browser.say(type="pong")
    said = await browser.hear()
    assert (said["type"], said["code"]) == ("closing", 1008)
    assert said["reason"].startswith("More than 1 messages a second.")


def test_every_close_reason_fits_into_its_frame() -> None:
    limits = SocketLimits()
    every = [
        OVER,
        OVERLOADED,
        flood(per_second=limits.messages_per_second),
        unacknowledged(seconds=limits.ack_within),
        *map(denied, REASONS),
    ]
    for each in every:
        assert 0 < len(each.reason.encode()) <= REASON_BYTES
        assert each.frame["reason"] == each.reason


async def test_a_client_that_syncs_unknown_jobs_and_reads_nothing_gets_a_bounded_answer(
    viewer: str, watch: Watch
) -> None:
    await run(make_job, items=3)
    limits = SocketLimits(tick=0.05, ack_within=1, sync_every=0.01)
    browser = watch("/ws/jobs", session_key=viewer, limits=limits)
    await browser.begin()
    for start in range(30):
        await browser.say(type="sync", revisions={start * 1000 + n: 1 for n in range(10_000, 10_500)})
        await asyncio.sleep(0.02)
    sent = []
    while (event := await browser.socket.receive_output(timeout=5))["type"] != "websocket.close":
        sent.append(json.loads(event["text"])["type"])
    assert sent.count("snapshot") == 1
    assert len(sent) <= 9
    assert event["code"] == 1013


async def test_answers_to_sync_come_once_a_second(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=3)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer, limits=SocketLimits(sync_every=0.5))
    await browser.begin()
    await browser.say(type="sync", revisions={})
    await browser.hear_job()
    for _ in range(20):
        await browser.say(type="sync", revisions={})
    assert await browser.nothing(seconds=0.2)
    await browser.hear_job()
    assert await browser.nothing(seconds=0.7)


async def test_an_acknowledgement_covers_the_earlier_frames_of_the_job(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=9)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer, limits=SocketLimits(tick=0.05, ack_within=2))
    await browser.begin()
    for number in range(3):
        await run(lambda number=number: complete(phase_of(job), 1, start=number))
        newest = (await browser.hear())["job"]
    await browser.say(type="ack", id=job.pk, revision=newest["revision"])
    assert await browser.nothing(seconds=2.5)


@pytest.mark.parametrize("act", [operations.cancel, operations.force_complete])
async def test_the_socket_of_one_job_ends_with_1000_once_its_last_state_is_acknowledged(
    viewer: str, watch: Watch, act: Any
) -> None:
    job = await run(make_job, items=3, done=1)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer)
    await browser.begin()
    await run(act, job, actor=None, reason="over")
    assert (await browser.hear_job())["status"] in ("cancelled", "completed")
    assert await browser.closed(within=0.5) == 1000


async def test_the_socket_of_a_job_that_was_over_ends_after_its_snapshot(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=1, done=1)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer)
    assert (await browser.begin())[0]["status"] == "completed"
    assert await browser.closed(within=0.5) == 1000


async def test_without_an_acknowledgement_the_socket_of_a_completed_job_ends_a_little_later(
    viewer: str, watch: Watch
) -> None:
    job = await run(make_job, items=1, done=1)
    limits = SocketLimits(tick=0.05, close_after=0.4)
    browser = await watch(f"/ws/jobs/{job.pk}", session_key=viewer, limits=limits).open()
    await browser.hear()
    assert await browser.nothing(seconds=0.2)
    assert await browser.closed(within=1) == 1000


async def test_the_socket_of_a_failed_job_stays_open_for_its_retry(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=1, failed=1, on_shortfall="fail")
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer, limits=SocketLimits(tick=0.05, close_after=0.1))
    assert (await browser.begin())[0]["status"] == "failed"
    await run(operations.retry, job, actor=None)
    assert (await browser.hear_job())["status"] == "processing"


async def test_the_list_stays_open_when_a_job_is_over(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=1)
    browser = watch("/ws/jobs", session_key=viewer, limits=SocketLimits(tick=0.05, close_after=0.1))
    await browser.begin()
    await run(lambda: complete(phase_of(job), 1))
    assert (await browser.hear_job())["status"] == "completed"
    assert await browser.nothing()


async def test_a_rolled_back_change_is_not_shown(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=1)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer)
    await browser.begin()
    await run(Job.objects.filter(pk=job.pk).update, percent=0)
    assert await browser.nothing(seconds=1.3)
