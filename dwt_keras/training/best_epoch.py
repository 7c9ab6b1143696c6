"""Keeping the network of the best epoch beside that of the last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from dwt_keras.compression import schedule
from dwt_keras.settings import Settings
from dwt_keras.training import export

FILE = "best.keras"


class BestEpoch(keras.callbacks.Callback):
    """Saves the network whenever its validation accuracy is the best so far.

    It stands behind the compression's callback. Epochs count from the first one at whose end the
    network is what may remain: the threshold full, bases chosen, levels those of a file.

    Args:
        folder: Gets `best.keras`.
        settings: Of the run.

    Attributes:
        record: What metrics.json says of it; empty while no epoch has counted.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__()
        self._path = folder / FILE
        self._first = schedule.first_full_epoch(settings.compression, settings.training.epochs)
        self.record: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        accuracy = float((logs or {})["val_accuracy"])
        if epoch < self._first or accuracy <= self.record.get("validation_accuracy", -1.0):
            return
        export.save_keras(self.model, self._path)
        self.record = {"epoch": epoch + 1, "validation_accuracy": accuracy}

    def get_state(self) -> dict[str, Any]:
        """What has been found so far."""
        return self.record

    def set_state(self, state: dict[str, Any]) -> None:
        """Sets what `get_state` gave."""
        self.record = dict(state)
