"""Version of a worker's program: in the body, or in the client package's User-Agent."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.models import Worker
from tests.factories import make_job
from tests.jobs.api.conftest import Api

PACKAGE = "progress_client/1.0.0"


def stored_version(api: Api, *, agent: str = "", **body: Any) -> str:
    """Return the version that is kept after a heartbeat."""
    headers = {"User-Agent": agent} if agent else {}
    answer = api.post(f"/jobs/{make_job(items=1).pk}/heartbeat", {"worker": "w1", **body}, **headers)
    assert answer.status_code == 200, answer.content
    return Worker.objects.get(name="w1").version


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/jobs/{}/heartbeat", {}),
        ("/jobs/{}/phases/items/claim", {}),
        ("/claim", {"phase": "items"}),
        ("/jobs/{}/phases/items/report", {"results": [{"key": "k0", "status": "completed"}]}),
    ],
)
def test_every_call_of_a_worker_may_tell_its_version(worker: Api, path: str, body: dict[str, Any]) -> None:
    address = path.format(make_job(items=3).pk)
    assert worker.post(address, {"worker": "w1", "version": "ocr-1.5.0", **body}).status_code == 200
    assert Worker.objects.get(name="w1").version == "ocr-1.5.0"


def test_a_version_has_at_most_a_hundred_characters(worker: Api) -> None:
    address = f"/jobs/{make_job(items=1).pk}/heartbeat"
    [error] = worker.post(address, {"worker": "w1", "version": "v" * 101}).json()["errors"]
    assert error["field"] == "version"
    assert stored_version(worker, version="v" * 100) == "v" * 100


@pytest.mark.parametrize(
    ("agent", "kept"),
    [
        (f"{PACKAGE} (ocr-1.4.2)", "ocr-1.4.2"),
        (f"{PACKAGE} ({'v' * 100})", "v" * 100),
        (f"{PACKAGE} ({'v' * 101})", ""),
        (PACKAGE, ""),
        ("Mozilla/5.0 (X11; Linux)", ""),
        (f"{PACKAGE} (a) (b)", ""),
        (f"{PACKAGE} (\u00e9)", ""),
    ],
)
def test_the_client_package_tells_it_in_its_user_agent(worker: Api, agent: str, kept: str) -> None:
    assert stored_version(worker, agent=agent) == kept


def test_the_body_goes_before_the_user_agent(worker: Api) -> None:
    assert stored_version(worker, agent=f"{PACKAGE} (one)", version="two") == "two"
