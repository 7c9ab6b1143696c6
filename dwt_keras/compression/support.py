"""Holding the support: zeroed coefficients stay zero through every optimizer step.

An optimizer step moves all coefficients, also those that the last shrinking zeroed. Here each
target's variable gets a constraint, which Keras' optimizers apply in the graph right after the
step: it transforms the kernel, multiplies by the support's mask and transforms back.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import tensorflow as tf

from dwt_keras.compression.projection import Projection
from dwt_keras.compression.targets import Target
from dwt_keras.wavelet.basis import Basis


class HeldSupport:
    """The supports of all targets, and the constraints that hold them.

    Until `hold` has been called for a target its support is everything; from then on it can only
    shrink. Optimizer slots (momentum, second moments) are left as they are: they live with the
    weights, not with the coefficients.

    Args:
        model: The model whose variables the targets are.
        targets: The targets.
        training: Any object that stands for this training; `release` tells others by it.
    """

    def __init__(self, model: Any, targets: Sequence[Target], training: object = None) -> None:
        self._model = model
        # Mirrored variables need mirrored masks.
        with model.distribute_strategy.scope():
            compiled = _can_compile(model)
            self._held = [_Held(target, training, compiled) for target in targets]
        self._by_path = {held.target.path: held for held in self._held}

    def attach(self) -> None:
        """Puts the constraints on the variables, each composed with one already there."""
        for held in self._held:
            held.attach()
        _retrace(self._model)

    def detach(self) -> None:
        """Gives the variables the constraints back that they had."""
        for held in self._held:
            held.detach()
        _retrace(self._model)

    def hold(self, target: Target, coefficients: np.ndarray[Any, np.dtype[Any]]) -> None:
        """From now on only the coefficients that are not zero here may be different from zero."""
        self._by_path[target.path].set(coefficients)

    def take_over(self, other: HeldSupport, targets: Sequence[Target]) -> None:
        """Holds what another support holds of those targets whose bases are the same here."""
        for target in targets:
            held = self._by_path[target.path]
            if held.target.basis == target.basis:
                held.set(other.mask(target))

    def mask(self, target: Target) -> np.ndarray[Any, np.dtype[Any]]:
        """One where a coefficient may be different from zero, else zero."""
        return self._by_path[target.path].mask


def release(model: Any, training: object) -> None:
    """Takes away the constraints that earlier trainings left because they were interrupted.

    Args:
        model: The model.
        training: Stands for the training that begins; supports held in it stay.
    """
    left = [
        held
        for held in (_holder(variable.constraint) for variable in model.trainable_variables)
        if held is not None and held.training is not training
    ]
    for held in left:
        held.detach()
    if left:
        _retrace(model)


def _retrace(model: Any) -> None:
    # A traced train function has the old constraints built in and ignores new ones silently.
    model.make_train_function(force=True)


def _holder(constraint: Any) -> _Held | None:
    """The `_Held` whose constraint this is."""
    owner = getattr(constraint, "__self__", None)
    return owner if isinstance(owner, _Held) else None


def _can_compile(model: Any) -> bool:
    """Whether XLA works where the model trains."""
    metal = platform.system() == "Darwin" and tf.config.list_physical_devices("GPU")
    return model.distribute_strategy.num_replicas_in_sync == 1 and not metal


class _Held:
    def __init__(self, target: Target, training: object, compiled: bool) -> None:
        self.target = target
        self.training = training
        self._previous: Any = None
        dtype = "float64" if target.variable.dtype == "float64" else "float32"
        self._mask = tf.Variable(
            tf.ones(target.basis.shape, dtype), trainable=False, name="support"
        )
        # While nothing is held, transforming back and forth must not change a bit either.
        self._holds = tf.Variable(False, trainable=False, name="holds")
        # Settings refuse to hold the support of a frame.
        held_basis = cast(Basis, target.basis)
        self._projection = Projection(held_basis, tuple(target.variable.shape), dtype)
        self._project = self._masked
        if compiled and not target.basis.is_identity:
            # By XLA also where the training step is not: for haar a quarter of the time.
            self._project = tf.function(self._masked, jit_compile=True, autograph=False)

    def attach(self) -> None:
        previous = self.target.variable.constraint
        holder = _holder(previous)
        self._previous = holder._previous if holder is not None else previous
        self.target.variable.constraint = self._constrain

    def detach(self) -> None:
        self.target.variable.constraint = self._previous

    @property
    def mask(self) -> np.ndarray[Any, np.dtype[Any]]:
        return np.asarray(self._mask.numpy())

    def set(self, coefficients: np.ndarray[Any, np.dtype[Any]]) -> None:
        kept = coefficients != 0
        self._mask.assign(kept.astype(self._mask.dtype.as_numpy_dtype))
        self._holds.assign(not kept.all())

    def _constrain(self, kernel: Any) -> Any:
        if self._previous is not None:
            kernel = self._previous(kernel)
        return self._project(tf.convert_to_tensor(kernel))

    def _masked(self, kernel: Any) -> Any:
        masked = self._projection(kernel, self._mask)
        if self.target.basis.is_identity:
            return masked
        return tf.where(self._holds, masked, kernel)
