"""Two long convolutions over time, for signals."""

from __future__ import annotations

import keras
from keras import layers

from dwt_keras.training.networks.parts import Plan

_FILTERS = 32
# Long kernels have much that a wavelet can gather; longer ones than that see hardly more.
_LONGEST = 32


def build(plan: Plan) -> keras.Model:
    """Two convolutions with 32 filters of a third of the samples, 32 at most, and their mean."""
    length = min(_LONGEST, plan.input_shape[0] // 3)
    body: list[layers.Layer] = []
    for number in (1, 2):
        body += plan.activated(
            layers.Conv1D,
            _FILTERS,
            length,
            padding="same",
            data_format="channels_last",
            name=f"conv_{number}",
        )
    body += [
        layers.GlobalAveragePooling1D(data_format="channels_last", name="pool"),
        *plan.dropped("dropout"),
    ]
    return keras.Sequential([plan.inputs(), *body, plan.head()], name=plan.name)
