"""What reaches the layers of a model when it is given samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from dwt_keras.compression import graph
from dwt_keras.compression.targets import Target
from dwt_keras.wavelet import features
from dwt_keras.wavelet.basis import Basis, identity

Array = np.ndarray[Any, np.dtype[Any]]

_BATCH = 256


class Inputs:
    """The inputs of the layers of some kernels, for samples.

    Layers that are not part of the model's own Functional or Sequential graph once (those of a
    subclassed model or of a model in the model, shared ones) have none.

    Args:
        model: The model, built.
        targets: The kernels.
        samples: Inputs of the model, of shape (samples, ...); None for none.
    """

    def __init__(self, model: Any, targets: Sequence[Target], samples: Array | None) -> None:
        self._samples = samples
        self._paths: list[str] = []
        self._inner: Any = None
        functional: Any = None if samples is None else graph.functional(model)
        known = {} if functional is None else dict(_inputs(functional, targets))
        if known:
            self._paths = list(known)
            self._inner = keras.Model(functional.input, list(known.values()))

    def read(self) -> dict[str, Array]:
        """What reaches each kernel's layer with the weights as they stand, by path.

        Returns:
            Arrays of shape (samples, ...); a path is missing where that is not known.
        """
        if self._inner is None or self._samples is None:
            return {}
        found = self._inner.predict(self._samples, batch_size=_BATCH, verbose=0)
        if len(self._paths) == 1:  # Keras unwraps a single output.
            found = [found]
        return dict(zip(self._paths, map(np.asarray, found), strict=True))


def spread(target: Target, axes: tuple[int, ...], given: Mapping[str, Array]) -> Array | float:
    """How far what multiplies each row of a kernel's coefficients spreads.

    Args:
        target: The kernel.
        axes: The axes of its coefficients that the rows are numbered by.
        given: What `Inputs.read` gave.

    Returns:
        Standard deviations, of the shape of those axes; 1 where the inputs are not known.
    """
    if target.path not in given:
        return 1.0
    basis: Any = target.basis
    # Of half precision squares overflow.
    values = given[target.path].astype(np.float32, copy=False)
    shape = [basis.shape[axis] for axis in axes]
    if len(axes) == 1 and values.ndim > 2:
        # Channels of a feature map, whose places are samples too.
        channels = 1 if getattr(target.layer, "data_format", "") == "channels_first" else -1
        values = np.moveaxis(values, channels, -1)
        return np.asarray(values.reshape(-1, values.shape[-1]).std(axis=0, dtype=np.float64))
    flat = values.reshape(len(values), -1)
    inner: Basis = identity(shape) if basis.is_identity else features.of_inputs(basis)
    found = features.adjoint(inner, flat).std(axis=0, dtype=np.float64)
    return np.asarray(found.reshape(shape))


def _inputs(functional: Any, targets: Sequence[Target]) -> Any:
    """Symbolic inputs of the layers, by the paths of their kernels."""
    nodes = graph.nodes(functional)
    for target in targets:
        own = [node for node in nodes if node.operation is target.layer]
        if len(own) == 1 and len(own[0].input_tensors) == 1:
            yield target.path, own[0].input_tensors[0]
