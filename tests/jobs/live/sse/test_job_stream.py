"""The state of jobs as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.sessions.models import Session

from jobs import operations
from jobs.live import open_connections
from jobs.live.authorization import WatchRequest, authorize
from jobs.live.connections import Connection
from jobs.live.principals import Principal
from jobs.live.sse import JobUpdates, StreamLimits, follow
from jobs.live.sse.protocol import PING
from tests.factories import complete, make_job, phase_of
from tests.jobs.live.conftest import run, sign_in
from tests.jobs.live.sse.conftest import Listen, token

pytestmark = pytest.mark.django_db(transaction=True)
STRICT = StreamLimits(ping_every=0.2, close_after=0.1, tick=0.02)


def test_a_job_is_a_snapshot_and_then_every_change(listen: Listen, viewer: str) -> None:
    job = make_job(items=3)
    stream = listen(f"/jobs/{job.pk}/stream", token=viewer)
    assert stream.response.headers["Content-Type"] == "text/event-stream"
    assert stream.response.headers["X-Accel-Buffering"] == "no"
    first = stream.hear()
    assert (first["event"], first["id"]) == ("snapshot", str(job.revision))
    assert [shown["id"] for shown in first["data"]["jobs"]] == [job.pk]
    complete(phase_of(job), 1)
    job.refresh_from_db()
    second = stream.hear()
    assert (second["event"], second["id"]) == ("job", str(job.revision))
    assert second["data"]["job"]["percent"] == 33


def test_who_comes_back_gets_only_what_is_newer(listen: Listen, viewer: str) -> None:
    job = make_job(items=3)
    stream = listen(f"/jobs/{job.pk}/stream", token=viewer, Last_Event_ID=str(job.revision))
    complete(phase_of(job), 1)
    assert stream.hear()["event"] == "job"
    late = listen(f"/jobs/{job.pk}/stream", token=viewer, Last_Event_ID=str(job.revision))
    assert late.hear()["event"] == "snapshot"


def test_who_has_seen_the_end_of_a_job_need_not_come_again(listen: Listen, viewer: str) -> None:
    job = make_job(items=1, done=1)
    again = listen(f"/jobs/{job.pk}/stream", token=viewer, Last_Event_ID=str(job.revision))
    assert again.response.status == 204


def test_the_list_of_a_project_holds_its_jobs_alone(listen: Listen, viewer: str) -> None:
    mine = make_job(items=1, project="a b")
    make_job(items=1, project="c")
    stream = listen("/stream?project=a%20b", token=viewer)
    assert [shown["id"] for shown in stream.hear()["data"]["jobs"]] == [mine.pk]
    also = make_job(items=1, project="a b")
    assert stream.hear()["data"]["job"]["id"] == also.pk


def test_a_limited_account_sees_only_its_projects(listen: Listen) -> None:
    mine, other = make_job(items=1, project="a"), make_job(items=1, project="b")
    limited = token("view_job", projects=["a"])
    assert [shown["id"] for shown in listen("/stream", token=limited).hear()["data"]["jobs"]] == [mine.pk]
    assert listen(f"/jobs/{other.pk}/stream", token=limited).response.status == 404
    assert listen("/stream?project=b", token=limited).response.status == 403


def test_a_session_may_listen_too(listen: Listen) -> None:
    job = make_job(items=1)
    _, key = sign_in("view_job")
    stream = listen(f"/jobs/{job.pk}/stream", Cookie=f"{site.SESSION_COOKIE_NAME}={key}")
    assert stream.hear()["event"] == "snapshot"


def test_refusals_are_problems(listen: Listen, viewer: str) -> None:
    refused = {
        401: listen("/stream"),
        403: listen("/stream", token=token()),
        404: listen("/jobs/999999/stream", token=viewer),
        400: listen("/stream?x=1", token=viewer),
    }
    assert {status: stream.problem()["status"] for status, stream in refused.items()} == {n: n for n in refused}
    for wrong in ("x", "-1", "9" * 30):
        assert listen("/stream", token=viewer, Last_Event_ID=wrong).response.status == 400


async def _all(watching: JobUpdates) -> list[bytes]:
    return [text async for text in watching.messages()]


async def _watching(key: str, *, job_id: int | None = None) -> JobUpdates:
    request = WatchRequest(Principal(token=None, session_key=key), job_id=job_id)
    return JobUpdates(request, await run(authorize, request), seen=None, limits=STRICT)


@pytest.mark.usefixtures("quick_recheck")
async def test_the_stream_ends_with_the_reason_when_the_permission_is_withdrawn() -> None:
    account, key = await run(sign_in, "view_job")
    listening = asyncio.create_task(_all(await _watching(key)))
    await asyncio.sleep(0.5)
    assert not listening.done()
    await run(account.user_permissions.clear)
    texts = await asyncio.wait_for(listening, 5)
    assert texts[0].startswith(b"event: snapshot")
    assert b":\n\n" in texts
    assert b'event: closing\ndata: {"type": "closing", "code": 4403' in texts[-1]
    assert open_connections() == 0


async def test_beyond_the_limit_of_an_account_its_oldest_stream_ends_with_the_reason(settings: Any) -> None:
    settings.LIVE_CONNECTIONS_PER_ACCOUNT = 1
    _, key = await run(sign_in, "view_job")
    oldest = asyncio.create_task(_all(await _watching(key)))
    await asyncio.sleep(0)
    newest = (await _watching(key)).messages()
    assert (await anext(newest)).startswith(b"event: snapshot")
    *_, last = await asyncio.wait_for(oldest, 5)
    assert last.startswith(b'retry: 30000\nevent: closing\ndata: {"type": "closing", "code": 4429')
    assert open_connections() == 1
    await newest.aclose()


@pytest.mark.usefixtures("quick_recheck")
async def test_the_feed_ends_with_the_reason_when_the_session_ends() -> None:
    _, key = await run(sign_in, "view_job")
    request = WatchRequest(Principal(token=None, session_key=key))
    connection = Connection(request, await run(authorize, request))
    feed = follow(lambda after, access: [], after=0, connection=connection, limits=STRICT)
    assert await anext(feed) == PING
    await run(Session.objects.all().delete)
    rest = await asyncio.wait_for(_rest(feed), 5)
    assert b'"code": 4401' in rest[-1]
    assert open_connections() == 0


async def _rest(feed: AsyncIterator[bytes]) -> list[bytes]:
    return [text async for text in feed]


async def test_the_stream_of_a_job_ends_after_its_end_was_shown() -> None:
    job = await run(make_job, items=1)
    _, key = await run(sign_in, "view_job")
    listening = asyncio.create_task(_all(await _watching(key, job_id=job.pk)))
    await asyncio.sleep(0.3)
    await run(operations.cancel, job, actor=None)
    texts = await asyncio.wait_for(listening, 5)
    assert b'"status":"cancelled"' in texts[-1] + texts[-2]


async def test_who_hangs_up_is_forgotten() -> None:
    _, key = await run(sign_in, "view_job")
    listening = asyncio.create_task(_all(await _watching(key)))
    await asyncio.sleep(0.2)
    assert open_connections() == 1
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert open_connections() == 0


async def test_only_the_newest_state_waits_for_a_slow_listener() -> None:
    job = await run(make_job, items=20)
    _, key = await run(sign_in, "view_job")
    messages = (await _watching(key, job_id=job.pk)).messages()
    assert (await anext(messages)).startswith(b"event: snapshot")
    for start in range(5):
        await run(complete, await run(phase_of, job), 1, start=start)
        await asyncio.sleep(0.3)
    assert b'"done":5' in await anext(messages)
    await messages.aclose()
