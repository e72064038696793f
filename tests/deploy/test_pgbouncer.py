"""The site behind PgBouncer with pool_mode=transaction and otherwise its defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from django.db import transaction

from jobs.models import Item, Job
from tests.deploy.poolers import pgbouncer
from tests.deploy.proxies import TLSUvicorn, manage
from tests.examples.site import environment
from tests.factories import make_job
from tests.servers import ROOT, started

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# A SET outside of a transaction, a lock of the session, LISTEN, and a temporary table.
OF_SESSION = re.compile(r"pg_advisory_lock\b|\bLISTEN [a-z]|TEMP(ORARY)? TABLE|[\"']SET (?!LOCAL)[a-z]|PREPARE [a-z]")
WORKERS = 8
ITEMS = 200
SERVERS = 3  # connections of the pooler to PostgreSQL, fewer than those that ask for one
TOKEN = "from jobs.api import tokens; print('token', tokens.issue('w1', roles=['worker']))"
SHOW = """
from django.db import connection, transaction
def show():
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return cursor.fetchone()[0]
with transaction.atomic():
    inside = show()
print("timeouts", inside, show())
"""


@pytest.fixture
def pooled(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a site behind the pooler."""
    lines = ("pool_mode = transaction", f"default_pool_size = {SERVERS}")
    with pgbouncer(tmp_path, *lines) as url:
        given = {**environment(Path("unused")), "DATABASE_URL": f"{url}?transaction_pooling=on&lock_timeout=4s"}
        given.pop("AMQP_URL", None)
        yield given


def worked(url: str, token: str, job: int, name: str) -> int:
    """Claim and complete items until none is left; return their number."""
    done = 0
    with httpx.Client(base_url=f"{url}/api/v1/jobs/{job}/phases/items", timeout=60) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        while True:
            answer = client.post("/claim", json={"worker": name, "limit": 5})
            assert answer.status_code == 200, answer.text
            items = answer.json()["items"]
            if not items:
                return done
            results = [{"key": item["key"], "status": "completed", "attempt": item["attempt"]} for item in items]
            answer = client.post("/report", json={"worker": name, "results": results})
            assert answer.status_code == 200, answer.text
            done += len(items)


def test_many_workers_pages_and_processes_share_a_few_connections(pooled: dict[str, str]) -> None:
    job = make_job(items=ITEMS)
    [token] = [line.split()[1] for line in manage(pooled, "shell", "-c", TOKEN).stdout.splitlines() if "token" in line]
    with started(TLSUvicorn(pooled)) as server, ThreadPoolExecutor(WORKERS) as pool:
        workers = [pool.submit(worked, server.url, token, job.pk, f"w{n}") for n in range(WORKERS)]
        assert sum(each.result() for each in workers) == ITEMS
        assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200
        assert "Traceback" not in server.said()
    assert Job.objects.get(pk=job.pk).status == "completed"
    assert Item.objects.filter(status="completed").count() == ITEMS
    for command in (["watchdog", "--once"], ["deliver", "--once"], ["recount"], ["prune"], ["migrate", "--check"]):
        manage(pooled, *command)


def test_each_transaction_has_the_lock_timeout_and_no_connection_keeps_it(pooled: dict[str, str]) -> None:
    said = manage(pooled, "shell", "-c", SHOW).stdout.splitlines()
    [(inside, outside)] = [line.split()[1:] for line in said if line.startswith("timeouts")]
    assert (inside, outside) == ("4s", "0")


def test_a_call_that_waits_too_long_for_a_job_is_503_and_the_others_go_on(pooled: dict[str, str]) -> None:
    held, free = make_job(name="held", items=1), make_job(name="free", items=1)
    [token] = [line.split()[1] for line in manage(pooled, "shell", "-c", TOKEN).stdout.splitlines() if "token" in line]
    headers = {"Authorization": f"Bearer {token}"}
    with (
        started(TLSUvicorn(pooled)) as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=60) as client,
    ):
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=held.pk)
            path = "/api/v1/jobs/{}/phases/items/claim"
            refused = client.post(path.format(held.pk), json={"worker": "w1"})
            assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
            assert client.post(path.format(free.pk), json={"worker": "w1"}).status_code == 200
        assert client.post(path.format(held.pk), json={"worker": "w1"}).status_code == 200


def test_no_statement_of_the_code_changes_a_session() -> None:
    """The pooler may give the next statement another connection."""
    sources = [path for app in ("jobs", "ocr_chunks", "training") for path in (ROOT / app).rglob("*.py")]
    assert [str(path) for path in sources if OF_SESSION.search(path.read_text())] == []
