"""Callbacks of trainings.

The Trainers of Hugging Face, Lightning and Keras are too large for the tests' environment. These small loops call the
published callback methods in the order and with the arguments of the libraries, as runs of transformers 5.24,
Lightning 2.6 and Keras 3.15 showed them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from progress_client import Client

from tests.client.integrations.conftest import Program
from tests.examples.site import Site, eventually


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports an integration whose library is replaced by its base class of callbacks."""
    names: list[str] = []

    def load(name: str, library: str, base: str) -> Any:
        double = ModuleType(library)
        setattr(double, base, type(base, (), {}))
        monkeypatch.setitem(sys.modules, library, double)
        names.append(f"progress_client.integrations.{name}")
        sys.modules.pop(names[-1], None)
        return importlib.import_module(names[-1])

    yield load
    for name in names:
        sys.modules.pop(name, None)


def ended(site: Site, name: str) -> dict[str, Any]:
    """The job once it is over."""
    job: dict[str, Any] = eventually(
        lambda: (found := site.job(name)) and found["status"] in ("completed", "failed") and found, what="the end"
    )
    return job


def epochs(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """The results of the epochs by their keys."""
    return {item["key"]: item["result"] for item in client.open(job["id"]).items(phase="epochs")}


class HuggingFace:
    """The calls of `transformers.Trainer.train`, as its `CallbackHandler` makes them."""

    def __init__(self, callback: Any, *, start: int = 0, stop_at: int = 6) -> None:
        args = SimpleNamespace(num_train_epochs=2.0, learning_rate=5e-5, per_device_train_batch_size=8, seed=1)
        state = SimpleNamespace(
            global_step=start, max_steps=6, num_train_epochs=2, epoch=start / 3, is_world_process_zero=True
        )
        self.control = control = SimpleNamespace(should_training_stop=False)
        callback.on_train_begin(args, state, control, model=None)
        callback.on_epoch_begin(args, state, control, model=None)
        while state.global_step < stop_at and not control.should_training_stop:
            state.global_step += 1
            state.epoch = state.global_step / 3
            callback.on_step_end(args, state, control, model=None)
            if state.global_step % 3 == 0:
                callback.on_log(args, state, control, logs={"loss": 1 / state.global_step, "epoch": state.epoch})
                callback.on_epoch_end(args, state, control, model=None)
                loss = 0.5 if state.global_step == 3 else float("nan")
                callback.on_evaluate(args, state, control, metrics={"eval_loss": loss})
                if state.global_step < state.max_steps:
                    callback.on_epoch_begin(args, state, control, model=None)
        callback.on_train_end(args, state, control, model=None)


def test_hugging_face(module: Any, client: Client, site: Site, name: str) -> None:
    made = module("transformers", "transformers", "TrainerCallback")
    HuggingFace(made.ProgressCallback(name, client=client))
    job = ended(site, name)
    assert (job["status"], job["percent"]) == ("completed", 100)
    assert [(phase["done"], phase["expected"]) for phase in job["phases"]] == [(6, 6), (2, 2)]
    assert job["metadata"]["learning_rate"] == 5e-5
    assert epochs(client, job) == {
        "epoch 1": {"loss": 1 / 3, "epoch": 1.0, "eval_loss": 0.5},
        "epoch 2": {"loss": 1 / 6, "epoch": 2.0, "eval_loss": "nan"},
    }


def test_hugging_face_from_a_checkpoint(module: Any, client: Client, site: Site, name: str) -> None:
    made = module("transformers", "transformers", "TrainerCallback")
    HuggingFace(made.ProgressCallback(name, client=client), start=3)
    steps = ended(site, name)["phases"][0]
    assert (steps["done"], steps["skipped"], steps["status"]) == (3, 3, "completed")


def test_an_early_stop_is_partial(module: Any, client: Client, site: Site, name: str) -> None:
    made = module("transformers", "transformers", "TrainerCallback")
    HuggingFace(made.ProgressCallback(name, client=client), stop_at=4)
    job = ended(site, name)
    assert (job["status"], job["partial"], job["phases"][0]["done"]) == ("completed", True, 4)


def test_a_cancelled_job_stops_the_training_that_asks_for_it(module: Any, client: Client, name: str) -> None:
    made = module("transformers", "transformers", "TrainerCallback")
    callback = made.ProgressCallback(name, client=client, stop_on_cancel=True)
    loop_of = callback.on_step_end

    def cancelled(*arguments: Any, **options: Any) -> None:
        callback.training._reporter.is_cancelled = True
        loop_of(*arguments, **options)

    callback.on_step_end = cancelled
    assert HuggingFace(callback).control.should_training_stop


def test_a_callback_that_breaks_leaves_the_training_alone(module: Any, client: Client, name: str) -> None:
    made = module("transformers", "transformers", "TrainerCallback")
    callback = made.ProgressCallback(name, client=client)
    callback.training.begin = callback.training.finish = None
    HuggingFace(callback)


class Lightning:
    """The calls of `Trainer.fit` of Lightning on its callbacks."""

    def __init__(self, callback: Any, *, error: Exception | None = None) -> None:
        trainer = SimpleNamespace(
            is_global_zero=True, estimated_stepping_batches=4, max_epochs=2, global_step=0, current_epoch=0,
            callback_metrics={}, should_stop=False,
        )  # fmt: skip
        model = SimpleNamespace(hparams={"learning_rate": 0.1, "layers": [1, 2]})
        callback.on_train_start(trainer, model)
        for trainer.current_epoch in range(2):
            for batch in range(2):
                trainer.global_step += 1
                trainer.callback_metrics["loss"] = 0.5
                callback.on_train_batch_end(trainer, model, None, None, batch)
                if error:
                    callback.on_exception(trainer, model, error)
                    return
            callback.on_train_epoch_end(trainer, model)
        callback.on_train_end(trainer, model)


def test_lightning(module: Any, client: Client, site: Site, name: str) -> None:
    Lightning(module("lightning", "lightning.pytorch", "Callback").ProgressCallback(name, client=client))
    job = ended(site, name)
    assert [(phase["done"], phase["expected"]) for phase in job["phases"]] == [(4, 4), (2, 2)]
    assert epochs(client, job) == {"epoch 1": {"loss": 0.5}, "epoch 2": {"loss": 0.5}}
    assert job["metadata"] == {"model": "SimpleNamespace", "learning_rate": 0.1}


def test_a_training_whose_process_ends_fails(program: Program, site: Site, name: str) -> None:
    done = program("""
import sys
from progress_client.integrations.training import Training
training = Training(sys.argv[1])
training.begin(steps=10, epochs=2, settings={})
training.step(3)
sys.exit("killed")
""", name)  # fmt: skip
    assert done.stderr == "killed\n"
    job = ended(site, name)
    assert (job["status"], job["phases"][0]["done"]) == ("failed", 3)


def test_lightning_names_the_exception(module: Any, client: Client, site: Site, name: str) -> None:
    made = module("lightning", "lightning.pytorch", "Callback")
    Lightning(made.ProgressCallback(name, client=client), error=RuntimeError("out of memory"))
    job = ended(site, name)
    assert (job["status"], job["phases"][0]["done"]) == ("failed", 1)
    assert "RuntimeError: out of memory" in job["error"]


def test_keras(module: Any, client: Client, site: Site, name: str) -> None:
    made = module("keras", "keras.callbacks", "Callback")
    callback = made.ProgressCallback(name, client=client)
    callback.params, callback.model = {"verbose": 0, "epochs": 2, "steps": 4}, SimpleNamespace(name="digits")
    callback.on_train_begin({})
    for epoch in range(2):
        for batch in (1, 3):  # steps_per_execution=2
            callback.on_train_batch_end(batch, {"loss": 0.5})
        callback.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.75})
    callback.on_train_end({"loss": 0.5})
    job = ended(site, name)
    assert [(phase["done"], phase["expected"]) for phase in job["phases"]] == [(8, 8), (2, 2)]
    assert epochs(client, job)["epoch 2"] == {"loss": 0.5, "val_loss": 0.75}
    assert job["metadata"] == {"model": "digits", "epochs": 2, "steps_per_epoch": 4}
