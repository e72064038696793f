"""A callback for the Trainer of Lightning."""

from __future__ import annotations

from typing import Any

try:
    from lightning.pytorch import Callback
except ImportError:
    from pytorch_lightning import Callback

from progress_client.client import Client
from progress_client.integrations.problems import harmless
from progress_client.integrations.training import Training
from progress_client.job import Job


class ProgressCallback(Callback):
    """A training as a job: `Trainer(…, callbacks=[ProgressCallback("detector 17")])`.

    Only the main process of a distributed training reports. With `stop_on_cancel` the training stops after an operator
    has cancelled the job.
    """

    def __init__(
        self, job: Job | str = "", *, client: Client | None = None, stop_on_cancel: bool = False, **options: Any
    ) -> None:
        super().__init__()
        self.training = Training(job, client=client, **options)
        self._stop_on_cancel = stop_on_cancel

    @harmless
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Create the job. A training that continues from a checkpoint skips the steps before it."""
        if trainer.is_global_zero:
            self.training.begin(
                steps=_whole(trainer.estimated_stepping_batches),
                epochs=_whole(trainer.max_epochs),
                settings={"model": type(pl_module).__name__, **dict(getattr(pl_module, "hparams", None) or {})},
                done=trainer.global_step,
            )

    @harmless
    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count the steps of the optimizer."""
        self.training.step(trainer.global_step, lambda: trainer.callback_metrics)
        if self._stop_on_cancel and self.training.is_cancelled:
            trainer.should_stop = True

    @harmless
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Report the epoch with its metrics, those of its validation too."""
        self.training.epoch(trainer.current_epoch + 1, trainer.callback_metrics)

    @harmless
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Finish the job."""
        self.training.finish()

    @harmless
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Fail the job."""
        self.training.fail(f"{type(exception).__name__}: {exception}")


def _whole(total: Any) -> int | None:
    """Return a total; None for -1 and infinity, which mean no end."""
    return int(total) if total is not None and 0 < total < float("inf") else None
