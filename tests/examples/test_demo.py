"""`manage.py demo` as an operator runs it."""

from __future__ import annotations

import http.client
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shlex import split
from shutil import copy
from threading import Event
from urllib.parse import urlencode

import pytest

from examples.connection import Connection
from examples.demo.scenes import next_run
from tests.examples.site import environment, eventually, template, terminate
from tests.factories import make_job
from tests.plan import FULL
from tests.servers import ROOT, free_port

LAST_LINE = "Ctrl-C stops everything."


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(copy(template()[0], tmp_path_factory.mktemp("demo") / "demo.sqlite3"))


@contextmanager
def demo(database: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo", *arguments],
        cwd=ROOT,
        env=environment(database),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        terminate(process)
        process.communicate(timeout=30)


def banner_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if LAST_LINE in line:
            return said
    raise AssertionError(said)


def signs_in(port: int, *, name: str, password: str) -> bool:
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    server.request("GET", "/admin/login/")
    answer = server.getresponse()
    page, cookie = answer.read().decode(), answer.headers["Set-Cookie"].split(";")[0]
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found
    form = urlencode({"username": name, "password": password, "csrfmiddlewaretoken": found[1], "next": "/admin/"})
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    server.request("POST", "/admin/login/", body=form, headers=headers)
    return server.getresponse().status == 302


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def jobs_named(run: str, *, database: Path) -> dict[str, str]:
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT name, status FROM jobs_job WHERE name LIKE ?", [f"{run}%"]))


def wait_for(status: str, name: str, *, database: Path) -> None:
    eventually(lambda: jobs_named(name, database=database).get(name) == status, what=f"{name} {status}")


def mend_and_retry(name: str, *, banner: str, port: int, database: Path) -> None:
    """Follow the banner: repair the document with a broken page and retry it."""
    [command] = re.findall(r"^ +(\S+ examples/make_pdf.py \S+ --mend)$", banner, flags=re.MULTILINE)
    subprocess.run(split(command), cwd=ROOT, check=True, capture_output=True)
    site = Connection(f"http://127.0.0.1:{port}", token=template()[1]["lead"], stop=Event())
    [document] = site.get(f"/documents?project={name.partition('/')[0]}")["results"]
    assert site.post(f"/documents/{document['id']}/retry", {"reason": "mended"})["changed"] == 1


SMALL = ["--count", "16", "--pages", "15", "--portraits", "16"]


@pytest.mark.full
def test_demo_works_through_its_files_and_starts_again_with_the_same_account(database: Path, tmp_path: Path) -> None:
    port = free_port()
    arguments = ["--port", str(port), *SMALL, "--data", str(tmp_path)]
    document = "demo-1/contract.pdf"
    with demo(database, *arguments) as process:
        banner = banner_of(process)
        password = banner.split("password", 1)[1].split()[0]
        assert signs_in(port, name="demo", password=password)
        wait_for("failed", document, database=database)
        mend_and_retry(document, banner=banner, port=port, database=database)
        for name in (document, "demo-1-people", "demo-1-pictures", "demo-1-frames"):
            wait_for("completed", name, database=database)
        statuses = jobs_named("demo-1", database=database)
    assert statuses == {
        "demo-1-people": "completed",
        "demo-1-pictures": "completed",
        "demo-1-frames": "completed",
        "demo-1-frames-without-total": "processing",
        document: "completed",
    }
    assert (process.returncode, is_listening(port)) == (0, False)
    assert len(list(tmp_path.glob("texts/*/merged.*"))) == 1

    (tmp_path / "hashes.csv").unlink()
    with demo(database, *arguments) as process:
        assert password in banner_of(process)
        assert signs_in(port, name="demo", password=password)
        eventually(lambda: jobs_named("demo-2", database=database), what="the jobs of the second run")
        if FULL:
            for name in ("demo-2-pictures", "demo-2-frames"):
                wait_for("completed", name, database=database)
            wait_for("failed", "demo-2/contract.pdf", database=database)
            assert (tmp_path / "hashes.csv").exists()
    assert jobs_named("demo-1", database=database) == statuses
    assert process.returncode == 0


@pytest.mark.django_db
@pytest.mark.parametrize("left", ["demo-1-pictures", "demo-1/contract.pdf", "demo-1-frames"])
def test_a_run_has_a_number_of_its_own_whatever_the_last_one_left(left: str) -> None:
    for name in ("demonstration", "demo-12-pictures"):
        make_job(name=name)
    assert next_run() == "demo-1"
    make_job(name=left)
    assert next_run() == "demo-2"


def test_demo_refuses_a_port_that_is_taken(database: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo(database, "--port", str(port), "--data", str(tmp_path)) as process:
            said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"Port {port} is in use" in said
