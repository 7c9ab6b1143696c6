"""L1 and L2 penalties on the kernels of any network, while it is trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from dwt_keras.compression import targets
from dwt_keras.settings import CompressionSettings
from dwt_keras.settings.regularization import RegularizationSettings


@contextlib.contextmanager
def added(model: keras.Model, settings: RegularizationSettings) -> Iterator[None]:
    """Adds penalties on all trainable kernels to the model's loss, as long as the block lasts.

    They hang on the variables and not on the layers, so that networks that have been built can have
    them too, files of the network say nothing of its training, and the loss that is reported of
    the finished network is that of its predictions alone. A regularizer that a kernel has already
    (of a network brought along) is added to.

    Args:
        model: The network, built.
        settings: Give the strengths `l1` and `l2`.
    """
    if not (settings.l1 or settings.l2):
        yield
        return
    found = targets.find(model, CompressionSettings(wavelet="none")).items
    before = [target.variable.regularizer for target in found]
    for target, own in zip(found, before, strict=True):
        target.variable.regularizer = _Sum(keras.regularizers.L1L2(settings.l1, settings.l2), own)
    try:
        yield
    finally:
        for target, own in zip(found, before, strict=True):
            target.variable.regularizer = own


class _Sum(keras.regularizers.Regularizer):
    """The sum of a regularizer and another one, if there is another."""

    def __init__(
        self, first: keras.regularizers.Regularizer, second: keras.regularizers.Regularizer | None
    ) -> None:
        self._parts = [first] if second is None else [first, second]

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return sum(part(x) for part in self._parts)
