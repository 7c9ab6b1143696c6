"""A layer that computes some wavelet coefficients of its input, and no others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from dwt_keras.wavelet import blocks, families, features
from dwt_keras.wavelet.basis import Basis


@keras.saving.register_keras_serializable("dwt_keras")
class WaveletFeatures(keras.layers.Layer):
    """Picks wavelet coefficients of flattened inputs.

    It takes the inner products of its input with the synthesis atoms of a discrete wavelet: what a
    kernel whose coefficients have few rows asks for (see `dwt_keras.wavelet.features`). Along each
    axis the input is multiplied by the atoms that are needed there; without a wavelet inputs are
    picked as they are.

    Input shape: (batch, inputs), the inputs flattened in C order from `shape`.
    Output shape: (batch, coefficients), in the order of `rows`.

    Args:
        shape: What was flattened: (height, width, channels), say.
        rows: Which coefficients, as flat indices into an array of that shape in the textbook
            layout (`dwt_keras.wavelet.transform`), each once.
        wavelet: Canonical name of a discrete wavelet, or "none", the default.
        level: Levels of the decomposition.
        axes: The axes of `shape` that are transformed.
        splits: For wavelet packets, the paths of all blocks that are split.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ArgumentError: If a row is not there, or level or axes do not fit the shape.
    """

    def __init__(
        self,
        shape: Sequence[int],
        rows: Sequence[int],
        wavelet: str = families.IDENTITY,
        level: int = 0,
        axes: Sequence[int] = (),
        splits: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=False, **{k: v for k, v in kwargs.items() if k != "trainable"})
        if wavelet != families.IDENTITY:
            blocks.check(len(shape), level, axes)
        self.plan = features.plan(
            Basis(
                wavelet,
                level,
                tuple(axes),
                tuple(shape),
                None if splits is None else tuple(splits),
            ),
            rows,
        )
        self._matrices = [self.plan.matrix(axis) for axis in self.plan.axes]
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The coefficients of inputs."""
        shape = self.plan.basis.shape
        values = ops.reshape(inputs, (-1, *shape))
        letters = "abcdefghij"[: len(shape)]
        for axis, matrix in zip(self.plan.axes, self._matrices, strict=True):
            equation = f"z{letters},k{letters[axis]}->z{letters.replace(letters[axis], 'k')}"
            values = ops.einsum(equation, values, ops.cast(matrix, self.compute_dtype))
        count = math.prod(values.shape[1:])
        flat = ops.reshape(values, (-1, count))
        if np.array_equal(self.plan.places, np.arange(count)):
            return flat
        return ops.take(flat, self.plan.places.astype("int32"), axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """(batch, coefficients)."""
        return input_shape[0], len(self.plan.rows)

    def multiplications(self) -> int:
        """How many multiplications one input takes."""
        total, sizes = 0, list(self.plan.basis.shape)
        for axis, matrix in zip(self.plan.axes, self._matrices, strict=True):
            total += len(matrix) * math.prod(sizes)
            sizes[axis] = len(matrix)
        return total

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        basis = self.plan.basis
        return {
            **super().get_config(),
            "shape": list(basis.shape),
            "rows": self.plan.rows.tolist(),
            "wavelet": basis.wavelet,
            "level": basis.level,
            "axes": list(basis.axes),
            "splits": None if basis.splits is None else list(basis.splits),
        }
