"""Authorization of sockets, when they open and while they are open."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.live import SocketLimits
from jobs.live.authorization import WatchRequest, authorize
from jobs.live.principals import Principal
from jobs.models import Membership
from tests.factories import make_job
from tests.jobs.live.conftest import Watch, run, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_recheck")]
STRICT = SocketLimits(tick=0.05)
ADDRESSES = ["/ws/jobs", "/ws/jobs/1", "/ws/projects/a"]


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("session_key", ["", "unknown"])
async def test_without_a_session_it_closes_with_4401(watch: Watch, path: str, session_key: str) -> None:
    browser = await watch(path, session_key=session_key).open()
    assert await browser.closed() == 4401


@pytest.mark.parametrize("path", ADDRESSES)
async def test_without_the_permission_to_view_it_closes_with_4403(watch: Watch, path: str) -> None:
    _, key = await run(sign_in)
    browser = await watch(path, session_key=key).open()
    assert await browser.closed() == 4403


@pytest.mark.parametrize(
    "path", ["/ws/jobs/999999", "/ws/jobs/99999999999999999999999", "/ws/jobs/x", "/ws/other", "/"]
)
async def test_what_does_not_exist_closes_with_4404(viewer: str, watch: Watch, path: str) -> None:
    browser = await watch(path, session_key=viewer).open()
    assert await browser.closed() == 4404


async def test_a_job_of_another_project_closes_with_4403(watch: Watch) -> None:
    job = await run(make_job, items=1, project="b")
    _, key = await run(sign_in, "view_job", projects=["a"])
    browser = await watch(f"/ws/jobs/{job.pk}", session_key=key).open()
    assert await browser.closed() == 4403


async def test_another_project_closes_with_4403(watch: Watch) -> None:
    _, key = await run(sign_in, "view_job", projects=["a"])
    browser = await watch("/ws/projects/b", session_key=key).open()
    assert await browser.closed() == 4403


async def test_a_limited_account_sees_only_its_projects_in_the_list(watch: Watch) -> None:
    mine = await run(make_job, items=1, project="a")
    await run(make_job, items=1, project="b")
    _, key = await run(sign_in, "view_job", projects=["a", "c"])
    browser = watch("/ws/jobs", session_key=key)
    assert [job["id"] for job in await browser.begin()] == [mine.pk]
    await run(make_job, items=1, project="b")
    also = await run(make_job, items=1, project="c")
    assert (await browser.hear_job())["id"] == also.pk


async def test_the_socket_of_a_project_shows_its_jobs_alone(viewer: str, watch: Watch) -> None:
    mine = await run(make_job, items=1, project="matter/789 é")
    await run(make_job, items=1, project="other")
    browser = watch("/ws/projects/matter/789%20%C3%A9", session_key=viewer)
    assert [job["id"] for job in await browser.begin()] == [mine.pk]


@pytest.mark.parametrize("path", ["/ws/jobs", "/ws/projects/a"])
async def test_a_session_that_ends_closes_the_socket_with_4401(viewer: str, watch: Watch, path: str) -> None:
    browser = watch(path, session_key=viewer, limits=STRICT)
    await browser.begin()
    await run(Session.objects.all().delete)
    assert await browser.closed() == 4401


async def test_an_account_that_is_switched_off_closes_the_socket_with_4401(watch: Watch) -> None:
    account, key = await run(sign_in, "view_job")
    browser = watch("/ws/jobs", session_key=key, limits=STRICT)
    await browser.begin()
    account.is_active = False
    await run(account.save)
    assert await browser.closed() == 4401


async def test_a_new_password_closes_the_socket_with_4401(watch: Watch) -> None:
    account, key = await run(sign_in, "view_job")
    browser = watch("/ws/jobs", session_key=key, limits=STRICT)
    await browser.begin()
    account.set_password("another")
    await run(account.save)
    assert await browser.closed() == 4401


async def test_a_permission_that_is_withdrawn_closes_the_socket_with_4403(watch: Watch) -> None:
    account, key = await run(sign_in, "view_job")
    browser = watch("/ws/jobs", session_key=key, limits=STRICT)
    await browser.begin()
    await run(account.user_permissions.clear)
    assert await browser.closed() == 4403


async def test_a_list_restarts_when_the_projects_of_the_account_change(watch: Watch) -> None:
    await run(make_job, items=1, project="a")
    other = await run(make_job, items=1, project="b")
    account, key = await run(sign_in, "view_job", projects=["a"])
    browser = watch("/ws/jobs", session_key=key, limits=STRICT)
    await browser.begin()
    await run(Membership.objects.filter(user=account).update, project="b")
    message = await browser.hear()
    assert message["type"] == "snapshot"
    assert [job["id"] for job in message["jobs"]] == [other.pk]


def test_authorization_costs_four_queries(db: None) -> None:
    job = make_job(items=1)
    _, key = sign_in("view_job")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        authorize(WatchRequest(Principal(token=None, session_key=key), job_id=job.pk))
    assert len(queries) <= 4
