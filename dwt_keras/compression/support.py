"""Holding the support: zeroed coefficients stay zero through every optimizer step.

An optimizer step moves all coefficients, also those that the last shrinking zeroed. Here each
target's variable gets a constraint that transforms the kernel, multiplies by the support's mask and
transforms back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from dwt_keras.compression.constraints import Constraints, KernelConstraint, Penalty
from dwt_keras.compression.targets import Target


class _Held(KernelConstraint):
    def __init__(
        self, target: Target, training: object, compiled: bool, penalty: Penalty | None = None
    ) -> None:
        super().__init__(target, training, compiled, penalty)
        self._mask = tf.Variable(
            tf.ones(target.basis.shape, self.dtype), trainable=False, name="support"
        )
        # While nothing is held, transforming back and forth must not change a bit either.
        self._holds = tf.Variable(False, trainable=False, name="holds")

    @property
    def mask(self) -> np.ndarray[Any, np.dtype[Any]]:
        return np.asarray(self._mask.numpy())

    def set(self, coefficients: np.ndarray[Any, np.dtype[Any]]) -> None:
        kept = coefficients != 0
        self._mask.assign(kept.astype(self._mask.dtype.as_numpy_dtype))
        self._holds.assign(not kept.all())

    def get_state(self) -> dict[str, Any]:
        return {"mask": self.mask != 0, "holds": bool(self._holds.numpy())}

    def set_state(self, state: dict[str, Any]) -> None:
        self._mask.assign(state["mask"].astype(self._mask.dtype.as_numpy_dtype))
        self._holds.assign(state["holds"])

    def changed(self, kernel: Any) -> Any:
        leaves = self.projection.leaves
        drawn = self.drawing()
        masked = self.projection(
            kernel, lambda path, block: drawn(block) * self._mask[leaves[path]]
        )
        if self.target.basis.is_identity or self.penalty is not None:
            return masked
        return tf.where(self._holds, masked, kernel)


class HeldSupport(Constraints[_Held]):
    """The supports of all targets, and the constraints that hold them.

    Until `hold` has been called for a target its support is everything; from then on it can only
    shrink. Optimizer slots (momentum, second moments) are left as they are: they live with the
    weights, not with the coefficients.

    Args:
        model: The model whose variables the targets are.
        targets: The targets.
        training: Any object that stands for this training; `constraints.release` tells others by
            it.
        penalty: What draws coefficients to zero that are held; None for nothing.
    """

    kind = _Held

    def hold(self, target: Target, coefficients: np.ndarray[Any, np.dtype[Any]]) -> None:
        """From now on only the coefficients that are not zero here may be different from zero."""
        self.by_path[target.path].set(coefficients)

    def take_over(self, other: HeldSupport, targets: Sequence[Target]) -> None:
        """Holds what another support holds of those targets whose bases are the same here."""
        for target in targets:
            held = self.by_path[target.path]
            if held.target.basis == target.basis:
                held.set(other.mask(target))

    def mask(self, target: Target) -> np.ndarray[Any, np.dtype[Any]]:
        """One where a coefficient may be different from zero, else zero."""
        return self.by_path[target.path].mask
