"""Airflow and Prefect, which are too large for the tests' environment.

Airflow's hooks are called by its own plugin manager (pluggy) against the signatures that it publishes; Prefect's as
Prefect calls them, by position. Runs of Airflow 3.3 and Prefect 3.9 gave the same items.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import pluggy
import pytest
from progress_client import Client
from progress_client.integrations import problems, runs

from tests.examples.site import Site, eventually

hookspec = pluggy.HookspecMarker("airflow")


class Published:
    """The hooks of `airflow.listeners.spec`."""

    @hookspec
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None: ...

    @hookspec
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None: ...

    @hookspec
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None: ...

    @hookspec
    def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None: ...

    @hookspec
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None: ...

    @hookspec
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None: ...

    @hookspec
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None: ...


@pytest.fixture
def shared(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the client of the test instead of that of the environment."""
    for module in ("reporter", "runs"):
        monkeypatch.setattr(f"progress_client.integrations.{module}.shared_client", lambda: client)
    assert problems.shared_client.cache_info().currsize == 0


@pytest.fixture
def hook(shared: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    listeners = ModuleType("airflow.listeners")
    listeners.hookimpl = pluggy.HookimplMarker("airflow")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow.listeners", listeners)
    sys.modules.pop("progress_client.integrations.airflow", None)
    manager = pluggy.PluginManager("airflow")
    manager.add_hookspecs(Published)
    manager.register(importlib.import_module("progress_client.integrations.airflow"))
    manager.check_pending()
    return manager.hook


def statuses(site: Site, name: str) -> dict[str, str]:
    """The items of the job and their statuses."""
    job = site.job(name.replace(" ", "%20"))
    assert job is not None
    return {item["key"]: item["status"] for item in site.items(job)}


def test_a_dag_run_is_a_job(hook: Any, site: Site, name: str) -> None:
    def task(task_id: str, map_index: int = -1) -> Any:
        return SimpleNamespace(dag_id=name, run_id="manual", task_id=task_id, map_index=map_index)

    for made in (task("extract"), task("load", 0), task("load", 1), task("mail")):
        hook.on_task_instance_running(previous_state=None, task_instance=made)
    hook.on_task_instance_success(previous_state="running", task_instance=task("extract"))
    hook.on_task_instance_failed(previous_state="running", task_instance=task("load", 0), error=ValueError("no lamp"))
    hook.on_task_instance_failed(previous_state="running", task_instance=task("load", 1), error="once")
    hook.on_task_instance_success(previous_state="running", task_instance=task("load", 1))
    hook.on_task_instance_skipped(previous_state="running", task_instance=task("mail"))
    run = SimpleNamespace(dag_id=name, run_id="manual")
    hook.on_dag_run_failed(dag_run=run, msg="task_failure")
    wanted = {"extract": "completed", "load 0": "failed", "load 1": "completed", "mail": "skipped", "run": "failed"}
    eventually(lambda: statuses(site, f"{name} manual") == wanted, what="all items")
    assert site.job(f"{name}%20manual")["status"] == "completed"  # type: ignore[index]


@pytest.mark.parametrize("ending", ["on_completion", "on_crashed"])
def test_a_flow_run_is_a_job(shared: None, site: Site, name: str, ending: str) -> None:
    from progress_client.integrations.prefect import flow_hooks, task_hooks

    flow, run = SimpleNamespace(name=name), SimpleNamespace(id=f"{ending}-0123456789", name="blue-cat")
    task, state = SimpleNamespace(name="load"), SimpleNamespace(name="Failed", message="no lamp")
    flow_hooks["on_running"][0](flow, run, state)
    for number, hooks in enumerate(("on_completion", "on_failure")):
        task_run = SimpleNamespace(name=f"load-{number}", flow_run_id=run.id)
        task_hooks["on_running"][0](task, task_run, state)
        task_hooks[hooks][0](task, task_run, state)
    flow_hooks[ending][0](flow, run, state)
    found = statuses(site, f"{name} blue-cat {run.id[:8]}")
    assert found.pop("run", "completed") == ("completed" if ending == "on_completion" else "failed")
    assert found == {"load-0": "completed", "load-1": "failed"}


def test_a_task_waits_for_a_job(shared: None, client: Client, name: str) -> None:
    job = client.job(name, items=["a"])
    ended = threading.Timer(0.3, lambda: job.report([{"key": "a", "status": "completed"}]))
    ended.start()
    assert runs.wait(name).status == "completed"


def test_a_task_that_waits_for_a_job_fails_with_it(shared: None, client: Client, name: str) -> None:
    job = client.job(name, items=["a"])
    job.report([{"key": "a", "status": "failed", "error": "no lamp"}])
    with pytest.raises(runs.JobNotCompleted, match=f"Job {name} is failed: .*no lamp"):
        runs.wait(job)
