"""Trainings of a few batches, and callbacks that look on."""

from __future__ import annotations

import keras

from dwt_keras.compression import shrink

Callback = keras.callbacks.Callback
BATCHES = 6


class On(Callback):
    """Calls functions at chosen moments: On(epoch_end=f) calls f(epoch, logs)."""

    def __init__(self, **functions):
        super().__init__()
        for moment, function in functions.items():
            setattr(self, f"on_{moment}", function)


class Batches(Callback):
    """Counts batches. Keras counts an optimizer step more where it finds no more data."""

    count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1


def zero_fraction(callback):
    return shrink.measure(callback.targets).zero_fraction


def fit(model, data, *callbacks, **options):
    x, y = data
    options = {"batch_size": 8, "verbose": 0, **options}
    return model.fit(x, y, callbacks=list(callbacks), **options)
