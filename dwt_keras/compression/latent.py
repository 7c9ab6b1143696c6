"""Training through the quantiser: coefficients that a kernel does not show, but remembers.

In every fourth step each kernel becomes what its *latent* coefficients are after thresholding and
quantisation, while gradients act on the latent ones as if there were neither (the straight-through
estimator; Bengio, Leonard and Courville 2013, arXiv:1308.3432). A coefficient below the threshold
so goes on learning without being seen, and comes back when it has grown (dynamic network surgery;
Guo, Yao and Chen 2016, arXiv:1608.04493).

All of it happens in the variable's constraint, which Keras' optimizers apply in the graph right
after a step: what the last steps changed of the kernel is added to the latent coefficients, and the
kernel becomes what they now show. Any change from outside (weights restored by another callback) is
taken up the same way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from dwt_keras.coding import quantizer
from dwt_keras.compression import budget
from dwt_keras.compression.constraints import Constraints, KernelConstraint, Penalty
from dwt_keras.compression.targets import Target

Array = np.ndarray[Any, np.dtype[Any]]

# Optimizer steps to each in which kernels become what they show: in between they move freely, by a
# fraction of a quantisation step, and cost nothing (docs/benchmarks.md).
STEPS_AT_ONCE = 4

# A kernel that was transformed back and forth differs by a few roundings of the largest one.
_ROUNDINGS = 64


def shown(latent: Array, threshold: float, step: float) -> Array:
    """What a kernel shows of its latent coefficients.

    Args:
        latent: The coefficients.
        threshold: Those of a smaller magnitude are zero.
        step: The others are rounded to whole multiples of this, one step at least; 0 leaves them.

    Returns:
        New array.
    """
    if step:
        levels = budget.levels_of(latent, threshold, step)
        return quantizer.dequantise(levels, step, latent.dtype)
    return np.where(np.abs(latent) >= threshold, latent, latent.dtype.type(0))


class _Latent(KernelConstraint):
    def __init__(
        self, target: Target, training: object, compiled: bool, penalty: Penalty | None = None
    ) -> None:
        super().__init__(target, training, compiled, penalty)
        leaves = self.projection.leaves
        latent = self._decomposed()
        # One variable a block: copying blocks together would cost more than the transform.
        self._latent = {
            path: tf.Variable(latent[place], trainable=False, name="latent")
            for path, place in leaves.items()
        }
        self._threshold = tf.Variable(0.0, trainable=False, dtype=self.dtype, name="threshold")
        self._step = tf.Variable(0.0, trainable=False, dtype=self.dtype, name="step")
        self._steps_done = tf.Variable(0, trainable=False, dtype="int64", name="steps_done")

    def expect(self, steps: int) -> None:
        """Lets the last of so many optimizer steps be one in which the kernel becomes as shown."""
        self._steps_done.assign(-steps % STEPS_AT_ONCE)

    def read(self) -> Array:
        """The latent coefficients, what has changed the kernel since the last step included."""
        return self._stored() + self._changed_by_others()

    def is_shown(self) -> bool:
        """Whether the kernel is what the latent coefficients show, and nobody has changed it."""
        residual = np.abs(self._changed_by_others()).max(initial=0.0)
        largest = np.abs(self._stored()).max(initial=0.0)
        return bool(residual <= _ROUNDINGS * np.finfo(self.dtype).eps * largest)

    def write(self, latent: Array, threshold: float, step: float) -> Array:
        """Sets all; the coefficients that the kernel now must have."""
        for path, place in self.projection.leaves.items():
            self._latent[path].assign(latent[place])
        self._threshold.assign(threshold)
        self._step.assign(step)
        return shown(latent, threshold, step)

    def get_state(self) -> dict[str, Any]:
        return {
            "latent": self._stored(),
            "threshold": float(self._threshold.numpy()),
            "step": float(self._step.numpy()),
            "steps_done": int(self._steps_done.numpy()),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self.write(state["latent"], state["threshold"], state["step"])
        self._steps_done.assign(state["steps_done"])

    def applied(self, kernel: Any) -> Any:
        done = self._steps_done.assign_add(1)
        return tf.cond(
            done % STEPS_AT_ONCE == 0, lambda: self.change(kernel), lambda: tf.identity(kernel)
        )

    def changed(self, kernel: Any) -> Any:
        drawn = self.drawing(STEPS_AT_ONCE)

        def step_of(path: str, block: Any) -> Any:
            variable = self._latent[path]
            latent = drawn(variable + (block - self._shown(variable)))
            variable.assign(latent)
            return self._shown(latent)

        return self.projection(kernel, step_of)

    def _shown(self, latent: Any) -> Any:
        """As `shown`, in the graph."""
        size = tf.abs(latent)
        step = tf.maximum(self._step, np.finfo(self.dtype).tiny)
        levels = tf.maximum(tf.round(size / step), 1.0)
        size = tf.where(self._step > 0.0, levels * self._step, size)
        return tf.where(tf.abs(latent) >= self._threshold, tf.sign(latent) * size, 0.0)

    def _stored(self) -> Array:
        found = np.empty(self.target.basis.shape, self.dtype)
        for path, place in self.projection.leaves.items():
            found[place] = self._latent[path].numpy()
        return found

    def _changed_by_others(self) -> Array:
        """What the kernel has beside what is shown: since then steps or others have changed it."""
        threshold, step = float(self._threshold.numpy()), float(self._step.numpy())
        return self._decomposed() - shown(self._stored(), threshold, step)

    def _decomposed(self) -> Array:
        return self.target.basis.decompose(self.target.read()).astype(self.dtype)


class LatentCoefficients(Constraints[_Latent]):
    """The latent coefficients of all targets, and the constraints that train them.

    At first kernels show all that they have.

    Args:
        model: The model whose variables the targets are.
        targets: The targets, none with a frame.
        training: Any object that stands for this training; `constraints.release` tells others by
            it.
        penalty: What draws latent coefficients to zero, shown or not; None for nothing.
    """

    kind = _Latent

    def read(self, target: Target) -> Array:
        """A copy of a kernel's latent coefficients."""
        return self.by_path[target.path].read()

    def expect(self, steps: int) -> None:
        """Lets kernels be what they show after so many optimizer steps, if not before."""
        for constraint in self.by_path.values():
            constraint.expect(steps)

    def are_shown(self) -> bool:
        """Whether all kernels are what they show, so that nobody else has changed one."""
        return all(constraint.is_shown() for constraint in self.by_path.values())

    def show(self, target: Target, latent: Array, threshold: float, step: float) -> Array:
        """Sets a kernel's latent coefficients, and how they are shown from now on.

        The kernel itself is for the caller to set.

        Returns:
            The coefficients that the kernel must have now.
        """
        return self.by_path[target.path].write(latent, threshold, step)
