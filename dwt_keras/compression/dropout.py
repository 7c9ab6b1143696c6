"""Dropout that lessens with what a network has left to drop."""

from __future__ import annotations

import math
import weakref
from typing import Any

from keras import layers

_KINDS = (
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
)

# Differences in rates that are not worth tracing the training step anew.
_NEAR = 0.02

# The rates of layers that are scaled now, or were when their training was interrupted.
_UNSCALED: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()


class DropoutRates:
    """The rates of a model's dropout layers, scaled while coefficients are zero.

    Dropout keeps a network from learning by heart; one that keeps few coefficients cannot, and
    learns less for the noise. With a share s of the coefficients kept a rate r becomes r sqrt(s)
    (Han, Pool, Tran and Dally 2015, arXiv:1506.02626, section 3.2, who take s from the layer: here
    it is that of all compressed kernels together).

    Args:
        model: The model, built.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._layers = [layer for layer in model._flatten_layers() if type(layer) in _KINDS]
        was_interrupted = any(layer in _UNSCALED for layer in self._layers)
        self.restore()
        self._rates = [layer.rate for layer in self._layers]
        self._traced = self._rates
        if was_interrupted:
            model.make_train_function(force=True)

    def scale(self, kept: float) -> None:
        """Scales the rates until `restore`.

        Args:
            kept: Share of the coefficients that are not zero, 0 to 1.
        """
        self._trace([rate * math.sqrt(kept) for rate in self._rates])
        # Those that are traced: whatever else makes the training step anew changes no rate.
        for layer, rate in zip(self._layers, self._traced, strict=True):
            _UNSCALED.setdefault(layer, layer.rate)
            layer.rate = rate

    def restore(self) -> None:
        """Gives the layers the rates that they had; a traced training step keeps its own."""
        for layer in self._layers:
            layer.rate = _UNSCALED.pop(layer, layer.rate)

    def end(self) -> None:
        """Restores the rates in the training step too."""
        self.restore()
        self._trace(self._rates, near=0.0)

    def get_state(self) -> list[float]:
        """The rates that the training step has, layer by layer."""
        return list(self._traced)

    def set_state(self, state: list[float]) -> None:
        """Sets what `get_state` gave."""
        self._trace(state, near=0.0)

    def _trace(self, rates: list[float], near: float = _NEAR) -> None:
        moved = (abs(new - old) > near for new, old in zip(rates, self._traced, strict=True))
        if any(moved):
            # A traced training step has the rates built in.
            self._model.make_train_function(force=True)
            self._traced = rates
