"""Children of multiprocessing: a client works in them, and nothing that belongs to a process is pickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from progress_client import Client
from progress_client.errors import refusal

from tests.client.forked_scripts import Run
from tests.client.grounds import counts, environment
from tests.examples.site import Site

WORKERS = """
import os
from progress_client import Client
client = Client(worker="pool")
name = os.environ["JOB"]
job = client.find(name)
job.refresh()

def work(number):
    assert client.open(job.id).name == name
    job.tell(str(number))

def other(number):
    Client(journal=None).find(name).tell(str(number))
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_child_of_multiprocessing_works_and_its_end_tells_what_waits(
    run: Run, client: Client, site: Site, name: str, folder: Path, tmp_path: Path, method: str
) -> None:
    client.job(name, items=map(str, range(6)))
    (tmp_path / "workers.py").write_text(WORKERS)
    run(
        f"""
import multiprocessing, pickle
import workers
busy(workers.job.refresh)
context = multiprocessing.get_context({method!r})
context.set_forkserver_preload(["workers"])
children = [context.Process(target=workers.work, args=(number,)) for number in range(4)]
children += [context.Process(target=workers.other, args=(number,)) for number in (4, 5)]
for child in children:
    child.start()
for child in children:
    child.join()
    assert child.exitcode == 0
for thing in (workers.client, workers.job, AsyncClient(), ProgressTracker()):
    sentence = refused(lambda: pickle.dumps(thing))
    assert "cannot be sent to another process; create a" in sentence, sentence
[item] = [next(workers.client.job(name + "-item", items=["x"]).claim(batch=1))]
assert "send its key" in refused(lambda: pickle.dumps(item))
workers.client.close()
""",
        PYTHONPATH=f"{environment('', '', journal=folder)['PYTHONPATH']}:{tmp_path}",
        JOB=name,
    )
    assert counts(site, name) == (6, 0, 0, 0)


def test_a_refusal_arrives_whole_from_a_child() -> None:
    error = refusal(404, {"detail": "No.", "code": "c", "errors": [{"field": "name", "detail": "Too long."}]})
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), arrived.args, vars(arrived)) == (type(error), error.args, vars(error))
