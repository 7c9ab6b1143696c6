"""Going on with a training that was interrupted, from what it kept at the end of each epoch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from dwt_keras.training import checkpoint

# What Keras' own callbacks remember from one epoch to the next.
_REMEMBERED = {
    keras.callbacks.EarlyStopping: ("wait", "stopped_epoch", "best", "best_weights", "best_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "cooldown_counter", "best"),
}


class Checkpoints(keras.callbacks.Callback):
    """Keeps the state of a training at the end of each epoch, and takes up one that was kept.

    It must stand last in the list, so that the other callbacks have done their work. Their states
    are kept where they have the methods `get_state() -> dict` and `set_state(dict)`, the values as
    `checkpoint.save` takes them; `set_state` is called after all of `on_train_begin`.

    Args:
        folder: Of the training.
        callbacks: The other callbacks.

    Attributes:
        epochs_done: How many epochs are over.
        seconds: How long they took, those before an interruption included.
        seconds_before: How long those took.

    Raises:
        UserError: If a state that was kept is damaged.
    """

    def __init__(self, folder: Path, callbacks: Sequence[Any]) -> None:
        super().__init__()
        self._folder = folder
        self._callbacks = callbacks
        self._saved = checkpoint.load(folder)
        self.epochs_done = 0 if self._saved is None else int(self._saved["epochs_done"])
        self.seconds = 0.0 if self._saved is None else float(self._saved["seconds"])
        self.seconds_before = self.seconds
        self._since = 0.0

    def begin_after(self, phase: Self) -> None:
        """Counts what an earlier phase of the training took, before this one begins."""
        self.seconds += phase.seconds
        self.seconds_before += phase.seconds_before

    def on_train_begin(self, logs: Any = None) -> None:
        self._since = time.perf_counter()
        saved, self._saved = self._saved, None
        if saved is None:
            return
        for variable, value in zip(_variables(self.model), saved["variables"], strict=True):
            variable.assign(value)
        for callback, state in zip(self._callbacks, saved["callbacks"], strict=True):
            _set_state(callback, state)
        self.model.stop_training = saved["stopped"]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        self.epochs_done = epoch + 1
        state = {
            "epochs_done": self.epochs_done,
            "seconds": self.seconds,
            "stopped": bool(self.model.stop_training),
            "variables": [np.asarray(variable) for variable in _variables(self.model)],
            "callbacks": [_get_state(callback) for callback in self._callbacks],
        }
        checkpoint.save(self._folder, state)


def _variables(model: keras.Model) -> list[Any]:
    """Weights, seeds of dropout, optimizer slots; metrics begin anew with each epoch."""
    metrics = {id(variable) for variable in model.metrics_variables}
    own = [variable for variable in model.variables if id(variable) not in metrics]
    return [*own, *model.optimizer.variables]


def _names(callback: Any) -> tuple[str, ...]:
    return next((names for kind, names in _REMEMBERED.items() if isinstance(callback, kind)), ())


def _get_state(callback: Any) -> dict[str, Any] | None:
    if hasattr(callback, "get_state"):
        state: dict[str, Any] = callback.get_state()
        return state
    return {name: getattr(callback, name) for name in _names(callback)} or None


def _set_state(callback: Any, state: dict[str, Any] | None) -> None:
    if state is None:
        return
    if hasattr(callback, "set_state"):
        callback.set_state(state)
        return
    for name in _names(callback):
        setattr(callback, name, state[name])
