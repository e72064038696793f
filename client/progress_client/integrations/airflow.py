"""A listener for Airflow: each DAG run is a job, each of its task instances an item.

The listener is this module: a plugin names it as `listeners = [airflow]`.
"""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl

from progress_client.integrations.problems import harmless
from progress_client.integrations.reporter import Reporter
from progress_client.integrations.runs import Runs, wait
from progress_client.integrations.tasks import sentence, trace

__all__ = ["on_dag_run_failed", "on_dag_run_success", "on_task_instance_failed", "on_task_instance_running"]
__all__ += ["on_task_instance_skipped", "on_task_instance_success", "wait"]

_runs = Runs()


@hookimpl
@harmless
def on_task_instance_running(previous_state: Any, task_instance: Any) -> None:
    """Report the start."""
    _reporter(task_instance).outcome(_key(task_instance), "processing")


@hookimpl
@harmless
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """Report a success."""
    _ended(task_instance, "completed")


@hookimpl
@harmless
def on_task_instance_skipped(previous_state: Any, task_instance: Any) -> None:
    """Report a task that skips itself."""
    _ended(task_instance, "skipped")


@hookimpl
@harmless
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: Any) -> None:
    """Report a failure; the success of a later try replaces it."""
    log = trace(error) if isinstance(error, BaseException) else ""
    _ended(task_instance, "failed", error=sentence(error), log=log)


@hookimpl
@harmless
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """End the job."""
    _reporter(dag_run)
    _runs.finish(_name(dag_run))


@hookimpl
@harmless
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """End the job, with a failed item for the run."""
    _reporter(dag_run)
    _runs.finish(_name(dag_run), error=msg or "The DAG run failed.")


def _reporter(run: Any) -> Reporter:
    return _runs.reporter(_name(run), _name(run))


def _ended(task_instance: Any, status: str, **fields: str) -> None:
    _reporter(task_instance).outcome(_key(task_instance), status, **fields)
    # The process of a task ends without notice.
    _runs.leave(_name(task_instance))


def _name(run: Any) -> str:
    return f"{run.dag_id} {run.run_id}"[:200]


def _key(task_instance: Any) -> str:
    """Return the id of the task, with the number of a mapped one."""
    number = getattr(task_instance, "map_index", -1)
    return str(task_instance.task_id) if number is None or number < 0 else f"{task_instance.task_id} {number}"
