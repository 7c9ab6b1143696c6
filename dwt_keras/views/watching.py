"""What kernels were before they were shrunk, for pictures of what the shrinking does."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from dwt_keras.compression.callback import DWTCompression

Array = np.ndarray[Any, Any]


class BeforeShrinking(keras.callbacks.Callback):
    """Keeps the kernels as the optimizer leaves them in the last batch of each epoch.

    It must stand before the compression in the list given to fit, which shrinks in that batch.
    Where the number of batches of an epoch is not known, it keeps nothing.

    Args:
        compression: The callback that finds the kernels.

    Attributes:
        kernels: By path, each as it was before the last shrinking; empty until then.
    """

    def __init__(self, compression: DWTCompression) -> None:
        super().__init__()
        self._compression = compression
        self.kernels: dict[str, Array] = {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # Under steps_per_execution `batch` is the last of several.
        if batch + 1 >= (self.params.get("steps") or np.inf):
            self.kernels = {
                target.path: target.read().copy() for target in self._compression.targets
            }
