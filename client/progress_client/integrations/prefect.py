"""Hooks for Prefect: each flow run is a job, each of its task runs an item.

`@flow(**flow_hooks)` and `@task(**task_hooks)`. Task runs in other processes, as with Dask, are not reported.
"""

from __future__ import annotations

from typing import Any

from progress_client.integrations.problems import harmless
from progress_client.integrations.runs import Runs, wait

__all__ = ["flow_hooks", "task_hooks", "wait"]

_runs = Runs()


@harmless
def _flow_runs(flow: Any, flow_run: Any, state: Any) -> None:
    # Prefect makes up names of two words, which may come again.
    name = f"{flow.name} {flow_run.name} {str(flow_run.id)[:8]}"
    _runs.reporter(str(flow_run.id), name[:200], metadata={"flow_run": str(flow_run.id)})


@harmless
def _flow_completed(flow: Any, flow_run: Any, state: Any) -> None:
    _runs.finish(str(flow_run.id))


@harmless
def _flow_failed(flow: Any, flow_run: Any, state: Any) -> None:
    _runs.finish(str(flow_run.id), error=f"{state.name}: {state.message or 'no message'}")


@harmless
def _task_runs(task: Any, task_run: Any, state: Any) -> None:
    _report(task_run, "processing")


@harmless
def _task_completed(task: Any, task_run: Any, state: Any) -> None:
    _report(task_run, "completed")


@harmless
def _task_failed(task: Any, task_run: Any, state: Any) -> None:
    _report(task_run, "failed", error=state.message or state.name)


def _report(task_run: Any, status: str, **fields: str) -> None:
    reporter = _runs.known(str(task_run.flow_run_id))
    if reporter:
        reporter.outcome(str(task_run.name), status, **fields)


flow_hooks: dict[str, list[Any]] = {
    "on_running": [_flow_runs],
    "on_completion": [_flow_completed],
    "on_failure": [_flow_failed],
    "on_crashed": [_flow_failed],
    "on_cancellation": [_flow_failed],
}
task_hooks: dict[str, list[Any]] = {
    "on_running": [_task_runs],
    "on_completion": [_task_completed],
    "on_failure": [_task_failed],
}
