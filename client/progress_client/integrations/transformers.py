"""A callback for the Trainer of Hugging Face."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from progress_client.client import Client
from progress_client.integrations.problems import harmless
from progress_client.integrations.training import Training
from progress_client.job import Job

SETTINGS = ("model_name_or_path", "learning_rate", "per_device_train_batch_size", "num_train_epochs", "seed")


class ProgressCallback(TrainerCallback):
    """A training as a job: `Trainer(…, callbacks=[ProgressCallback("sentiment 17")])`.

    Only the main process of a distributed training reports. With `stop_on_cancel` the training stops after an operator
    has cancelled the job.
    """

    def __init__(
        self, job: Job | str = "", *, client: Client | None = None, stop_on_cancel: bool = False, **options: Any
    ) -> None:
        self.training = Training(job, client=client, **options)
        self._stop_on_cancel, self._ended = stop_on_cancel, 0
        self._metrics: dict[str, Any] = {}

    @harmless
    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Create the job. A training that continues from a checkpoint skips the steps before it."""
        if state.is_world_process_zero:
            settings = {name: getattr(args, name, None) for name in SETTINGS}
            epochs = round(state.num_train_epochs) or None
            self.training.begin(steps=state.max_steps, epochs=epochs, settings=settings, done=state.global_step)

    @harmless
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count a step."""
        self.training.step(state.global_step)
        if self._stop_on_cancel and self.training.is_cancelled:
            control.should_training_stop = True

    @harmless
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the logged metrics."""
        self._metrics.update(logs or {})
        self.training.show(logs or {})

    @harmless
    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Show the metrics of an evaluation."""
        self._metrics.update(metrics or {})
        self.training.show(metrics or {})

    @harmless
    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report the epoch before."""
        self.training.epoch(self._ended, self._metrics)

    @harmless
    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the epoch. The Trainer evaluates it only after this call."""
        self._ended = round(state.epoch or 0)

    @harmless
    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report the last epoch, and finish the job."""
        self.training.epoch(self._ended, self._metrics)
        self.training.finish()
