"""An L1 penalty on the wavelet coefficients of kernels, as a step of its own.

The gradient of a sum of magnitudes has no value where coefficients ought to end, at zero, and Adam
would divide it by its own size. So the penalty is not part of the loss: after each optimizer step
every coefficient's magnitude lessens by learning rate times strength, to zero where less is left.
That is the proximal step of the penalty (iterative soft thresholding; Daubechies, Defrise and De
Mol 2004, doi:10.1002/cpa.20042), kept apart from the optimizer's own scaling as AdamW keeps weight
decay apart (Loshchilov and Hutter 2019, arXiv:1711.05101). For orthonormal bases it is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from dwt_keras.compression.constraints import Constraints, KernelConstraint


class L1:
    """What the penalty takes of each magnitude.

    Args:
        model: The model, compiled: its optimizer has the learning rate, at every step as it is.
        strength: Of the penalty, above 0.
    """

    def __init__(self, model: Any, strength: float) -> None:
        self._model = model
        self._strength = strength

    def drawing(self, steps: int = 1) -> Callable[[Any], Any]:
        """What to do with a tensor of coefficients, after so many optimizer steps.

        Args:
            steps: How many have passed since the last time, at about the present learning rate.
        """
        rate = tf.convert_to_tensor(self._model.optimizer.learning_rate)
        taken = tf.cast(rate, "float32") * (self._strength * steps)

        def drawn(block: Any) -> Any:
            size = tf.abs(block) - tf.cast(taken, block.dtype)
            return tf.sign(block) * tf.maximum(size, tf.zeros((), block.dtype))

        return drawn


class _Drawn(KernelConstraint):
    """It learns nothing of the kernel, so that there is nothing to keep of it."""

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        pass

    def changed(self, kernel: Any) -> Any:
        drawn = self.drawing()
        return self.projection(kernel, lambda path, block: drawn(block))


class DrawnCoefficients(Constraints[_Drawn]):
    """The constraints that draw the coefficients of all targets to zero, and do nothing else.

    Args:
        model: The model whose variables the targets are.
        targets: The targets, none with a frame.
        training: Any object that stands for this training; `constraints.release` tells others by
            it.
        penalty: What draws them.
    """

    kind = _Drawn
