"""Constraints on kernels that a training puts on and takes off again.

A variable's constraint is what Keras' optimizers apply in the graph right after each step. Here it
changes a kernel in the domain of its coefficients.
"""

from __future__ import annotations

import abc
import platform
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

import tensorflow as tf

from dwt_keras import checks
from dwt_keras.compression.projection import Projection
from dwt_keras.compression.targets import Target
from dwt_keras.wavelet.basis import Basis


class Penalty(Protocol):
    """What is taken of coefficients after optimizer steps (`penalty.L1`)."""

    def drawing(self, steps: int = 1) -> Callable[[Any], Any]:
        """What to do with a tensor of coefficients after so many steps."""


class KernelConstraint(abc.ABC):
    """The constraint of one kernel, composed with one that is already there.

    Args:
        target: The kernel; its basis is no frame.
        training: Any object that stands for the training it belongs to.
        compiled: Whether XLA works where the kernel is trained.
        penalty: What draws coefficients to zero; biases are left alone.
    """

    def __init__(
        self, target: Target, training: object, compiled: bool, penalty: Penalty | None = None
    ) -> None:
        self.target = target
        self.training = training
        self.penalty = penalty if target.name != "bias" else None
        self._previous: Any = None
        self.dtype = "float64" if target.variable.dtype == "float64" else "float32"
        # Settings refuse to constrain a frame.
        self.projection = Projection(
            cast(Basis, target.basis), tuple(target.variable.shape), self.dtype
        )
        self.change: Callable[[Any], Any] = self.changed
        if compiled and not target.basis.is_identity:
            # By XLA also where the training step is not: for haar a quarter of the time.
            self.change = tf.function(self.changed, jit_compile=True, autograph=False)

    @abc.abstractmethod
    def changed(self, kernel: Any) -> Any:
        """What the kernel becomes after a step: a tensor from a tensor, of its shape and dtype."""

    @abc.abstractmethod
    def get_state(self) -> dict[str, Any]:
        """What it has learnt of the kernel so far, as plain values."""

    @abc.abstractmethod
    def set_state(self, state: dict[str, Any]) -> None:
        """Sets what `get_state` gave."""

    def applied(self, kernel: Any) -> Any:
        """The kernel after a step: `change` of it, unless that can wait."""
        return self.change(kernel)

    def drawing(self, steps: int = 1) -> Callable[[Any], Any]:
        """What the penalty makes of a tensor of coefficients in so many optimizer steps."""
        return (lambda block: block) if self.penalty is None else self.penalty.drawing(steps)

    def attach(self) -> None:
        """Puts the constraint on the variable, in the place of one of an earlier training."""
        previous = self.target.variable.constraint
        holder = _holder(previous)
        self._previous = holder._previous if holder is not None else previous
        self.target.variable.constraint = self._constrain

    def detach(self) -> None:
        """Gives the variable the constraint back that it had."""
        self.target.variable.constraint = self._previous

    def _constrain(self, kernel: Any) -> Any:
        if self._previous is not None:
            kernel = self._previous(kernel)
        return self.applied(tf.convert_to_tensor(kernel))


Kind = TypeVar("Kind", bound=KernelConstraint)


class Constraints(Generic[Kind]):
    """The constraints of all targets of a model.

    Args:
        model: The model whose variables the targets are.
        targets: The targets.
        training: Any object that stands for this training; `release` tells others by it.
        penalty: What draws their coefficients to zero; None for nothing.

    Attributes:
        kind: The class of each constraint.
        by_path: The constraints, by the paths of their kernels.
    """

    kind: type[Kind]

    def __init__(
        self,
        model: Any,
        targets: Sequence[Target],
        training: object = None,
        penalty: Penalty | None = None,
    ) -> None:
        self._model = model
        # Mirrored variables need mirrored state.
        with model.distribute_strategy.scope():
            compiled = _can_compile(model)
            constraints = [self.kind(target, training, compiled, penalty) for target in targets]
        self.by_path = {constraint.target.path: constraint for constraint in constraints}

    def attach(self) -> None:
        """Puts the constraints on the variables, each composed with one already there."""
        for constraint in self.by_path.values():
            constraint.attach()
        _retrace(self._model)

    def detach(self) -> None:
        """Gives the variables the constraints back that they had."""
        for constraint in self.by_path.values():
            constraint.detach()
        _retrace(self._model)

    def get_state(self) -> dict[str, Any]:
        """The states of all, by the paths of their kernels."""
        return {path: constraint.get_state() for path, constraint in self.by_path.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Sets what `get_state` gave; kernels stay as they are."""
        for path, constraint in self.by_path.items():
            constraint.set_state(state[path])


def release(model: Any, training: object) -> None:
    """Takes away the constraints that earlier trainings left because they were interrupted.

    Args:
        model: The model.
        training: Stands for the training that begins; constraints that belong to it stay.
    """
    left = [
        holder
        for holder in (_holder(variable.constraint) for variable in model.variables)
        if holder is not None and holder.training is not training
    ]
    for holder in left:
        holder.detach()
    if left:
        _retrace(model)


def refuse_what_keras_cannot(model: Any) -> None:
    """Checks that Keras can train a model as it is compiled.

    Raises:
        UserError: If it has several replicas, and what does not work with those.
    """
    replicas = model.distribute_strategy.num_replicas_in_sync
    if replicas < 2:
        return
    if model.steps_per_execution > 1:
        raise checks.UserError(
            f"steps_per_execution={model.steps_per_execution} does not work in Keras with "
            f"{replicas} replicas: use 1"
        )
    if model.jit_compile:
        raise checks.UserError(
            f"jit_compile does not work in Keras with {replicas} replicas: "
            "compile with jit_compile=False"
        )


def _retrace(model: Any) -> None:
    # A traced train function has the old constraints built in and ignores new ones silently.
    model.make_train_function(force=True)


def _holder(constraint: Any) -> KernelConstraint | None:
    """The `KernelConstraint` that a variable's constraint belongs to."""
    owner = getattr(constraint, "__self__", None)
    return owner if isinstance(owner, KernelConstraint) else None


def _can_compile(model: Any) -> bool:
    """Whether XLA works where the model trains."""
    metal = platform.system() == "Darwin" and tf.config.list_physical_devices("GPU")
    return model.distribute_strategy.num_replicas_in_sync == 1 and not metal
