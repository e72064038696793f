"""The README's section "Getting told" does what it says, block by block as it is written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pika
import pytest
from django.conf import settings

from jobs.inbox.topology import dead_queue
from tests.examples.site import ROOT, Site, environment, eventually, serving
from tests.examples.test_listener import complete

PYTHON = ".venv/bin/python"
QUEUE = "q.my_service"
README = (ROOT / "README.md").read_text()


def blocks() -> dict[str, str]:
    """The blocks of the section: feed, listener, webhook, broker."""
    section = README.partition("## Getting told\n")[2].partition("\n## ")[0]
    found = re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL)
    return dict(zip(("feed", "listener", "webhook", "broker"), found, strict=True))


def shell() -> str:
    """The environment of the shell of the five requests."""
    [start] = re.findall(r"```sh\n(PROGRESS_URL=.*?\n)\n", README, flags=re.DOTALL)
    return str(start)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path) as running:
        yield running


@contextmanager
def running(site: Site, *names: str, amqp: str = "") -> Iterator[Path]:
    """The blocks in one shell, for as long as this takes; the file with what they say."""
    seen, said = ROOT / "completions.seen", site.folder / "said"
    assert not seen.exists()
    script = (shell() + "".join(blocks()[name] for name in names)).replace(PYTHON, sys.executable)
    variables = {**environment(site.database), "PROGRESS_URL": site.url, "AMQP_URL": amqp}
    command = ["bash", "-euo", "pipefail", "-c", script]
    with said.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=out, start_new_session=True)
        try:
            yield said
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            seen.unlink(missing_ok=True)


def test_the_feed_is_read_and_followed(site: Site) -> None:
    complete(site, "before")
    with running(site, "feed") as said:
        eventually(lambda: said.read_text().count("data: ") == 2, what="what there is")
        complete(site, "after")
        eventually(lambda: said.read_text().count("data: ") == 4, what="what comes")
        page = json.loads(said.read_text().partition("\n")[0])
    assert [event["job_id"] for event in page["results"]] == ["before"] * 2


def test_the_listener_prints_completions(site: Site) -> None:
    complete(site, "one")
    with running(site, "listener") as said:
        eventually(lambda: said.read_text().count("one: ") == 2, what="the completions")


def test_the_webhook_is_added_and_its_secret_is_shown(site: Site) -> None:
    with running(site, "webhook") as said:
        eventually(lambda: said.read_text().endswith("}\n"), what="the endpoint")
        added = json.loads(said.read_text())
    assert (added["url"], added["types"]) == ("https://matcher.example.com/events", ["*.completed"])
    assert added["secret"].startswith("whsec_")


@pytest.mark.rabbitmq
def test_the_broker_tells_the_listener(site: Site) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(settings.AMQP_URL))
    channel = connection.channel()
    try:
        with running(site, "webhook", "broker", amqp=settings.AMQP_URL) as said:
            eventually(lambda: _is_there(connection), what="the queue of the listener")
            complete(site, "told-by-the-broker")
            eventually(lambda: said.read_text().count("told-by-the-broker: ") == 2, what="the completions")
    finally:
        channel.queue_delete(QUEUE)
        channel.queue_delete(dead_queue(QUEUE))
        connection.close()


def _is_there(connection: pika.BlockingConnection) -> bool:
    """Check for a consumer of the queue. A check of a missing queue closes the channel."""
    channel = connection.channel()
    try:
        found = channel.queue_declare(QUEUE, passive=True).method.consumer_count > 0
    except pika.exceptions.ChannelClosedByBroker:
        return False
    channel.close()
    return bool(found)
