"""A callback for `fit` of Keras."""

from __future__ import annotations

from typing import Any

from keras.callbacks import Callback

from progress_client.client import Client
from progress_client.integrations.problems import harmless
from progress_client.integrations.training import Training
from progress_client.job import Job


class ProgressCallback(Callback):
    """A training as a job: `model.fit(…, callbacks=[ProgressCallback("digits 17")])`.

    With `stop_on_cancel` the training stops after an operator has cancelled the job. Keras names no exception: a
    training that raises one fails when the process ends.
    """

    def __init__(
        self, job: Job | str = "", *, client: Client | None = None, stop_on_cancel: bool = False, **options: Any
    ) -> None:
        super().__init__()
        self.training = Training(job, client=client, **options)
        self._stop_on_cancel = stop_on_cancel
        self._done = self._of_epoch = 0

    @harmless
    def on_train_begin(self, logs: Any = None) -> None:
        """Create the job."""
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        total = steps * epochs if steps and epochs else None
        settings = {"model": getattr(self.model, "name", None), "epochs": epochs, "steps_per_epoch": steps}
        self._done = self._of_epoch = 0
        self.training.begin(steps=total, epochs=epochs, settings=settings)

    @harmless
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the steps: with `steps_per_execution` Keras calls this only after several."""
        self._of_epoch = batch + 1
        self.training.step(self._done + self._of_epoch, lambda: logs or {})
        if self._stop_on_cancel and self.training.is_cancelled:
            self.model.stop_training = True

    @harmless
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report the epoch with its metrics."""
        self._done, self._of_epoch = self._done + self._of_epoch, 0
        self.training.epoch(epoch + 1, logs or {})

    @harmless
    def on_train_end(self, logs: Any = None) -> None:
        """Finish the job."""
        self.training.finish()
