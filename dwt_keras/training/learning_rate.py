"""The step size over a training. Importing this loads TensorFlow.

Schedules are computed in the graph, from the number of updates alone. Those that Keras has not are
made of straight lines here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras.optimizers import schedules

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.settings import optimization as names
from dwt_keras.settings.optimization import OptimizationSettings
from dwt_keras.training import fine_tuning, telling

# For how many of Adam's updates its step size is right where it falls to zero, and by how much it
# is raised at most where they are fewer; the optimizers whose updates are like Adam's.
_STEPS_AT_RATE, _LARGEST_FACTOR = 12_000, 5
_LIKE_ADAM = ("adam", "adamw", "nadam")
# By how much more where whole rows or columns go, and what is left learns anew what they did.
_STRUCTURED_FACTOR = 5 / 3

_STEP_SHARE = 1 / 3
_CYCLE_EPOCHS = 4.0
_PLATEAU_PATIENCE_EPOCHS = 3
_DECAY_FACTORS = {names.STEP: 0.1, names.EXPONENTIAL: 0.9, names.PLATEAU: 0.5}
# The lowest step size as a share of the largest; of those that fall it is zero.
_LOWEST_SHARES = {names.CYCLICAL: 0.25, names.ONE_CYCLE: 0.1}
# Share of the updates for which one_cycle rises, and for which it falls to where it began.
_RISE = 0.45

_PACKAGE = "dwt_keras"


@keras.saving.register_keras_serializable(_PACKAGE)
class PiecewiseLinear(schedules.LearningRateSchedule):
    """A step size that runs in straight lines from one to the next.

    Args:
        steps: Numbers of updates, growing, from 0 on.
        rates: The step size at each of them; the last stays.
        repeats: Whether it begins anew after the last.
    """

    def __init__(
        self, steps: Sequence[float], rates: Sequence[float], repeats: bool = False
    ) -> None:
        super().__init__()
        self.steps, self.rates, self.repeats = list(steps), list(rates), repeats

    def __call__(self, step: Any) -> Any:
        done = ops.cast(step, "float32")
        if self.repeats:
            done = ops.mod(done, self.steps[-1])
        rate = ops.convert_to_tensor(self.rates[0], "float32")
        for number in range(1, len(self.steps)):
            begin, end = self.steps[number - 1 : number + 1]
            change = self.rates[number] - self.rates[number - 1]
            rate += change * ops.clip((done - begin) / (end - begin), 0.0, 1.0)
        # Roundings must not make it negative.
        return ops.maximum(rate, min(self.rates))

    def get_config(self) -> dict[str, Any]:
        return {"steps": self.steps, "rates": self.rates, "repeats": self.repeats}


@keras.saving.register_keras_serializable(_PACKAGE)
class WarmUp(schedules.LearningRateSchedule):
    """A step size that grows from zero to where a schedule begins, in a straight line.

    The first update has a small step size already, so that none is for nothing.

    Args:
        then: The schedule that follows.
        warmup_steps: Number of updates before it begins.
    """

    def __init__(self, then: schedules.LearningRateSchedule, warmup_steps: int) -> None:
        super().__init__()
        self.then, self.warmup_steps = then, warmup_steps

    def __call__(self, step: Any) -> Any:
        done = ops.cast(step, "float32")
        growing = self.then(ops.zeros_like(done)) * _warmup_share(done, self.warmup_steps)
        following = self.then(ops.maximum(done - self.warmup_steps, 0.0))
        return ops.where(done < self.warmup_steps, growing, following)

    def get_config(self) -> dict[str, Any]:
        return {"then": schedules.serialize(self.then), "warmup_steps": self.warmup_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WarmUp:
        return cls(schedules.deserialize(config["then"]), config["warmup_steps"])


class Plateau(keras.callbacks.ReduceLROnPlateau):
    """Keras' own, with a warm-up, and blind to epochs that tell nothing.

    While a threshold grows the validation loss rises, which no smaller step size would mend.

    Args:
        rate: The step size before it is first lowered.
        warmup_steps: Number of updates in which it grows to that.
        start_from_epoch: The first epoch, from 0, whose validation loss counts.
        **arguments: Those of `keras.callbacks.ReduceLROnPlateau`.
    """

    def __init__(
        self, rate: float, warmup_steps: int, start_from_epoch: int, **arguments: Any
    ) -> None:
        super().__init__(monitor="val_loss", mode="min", **arguments)
        self._rate = rate
        self._warmup_steps = warmup_steps
        self._start_from_epoch = start_from_epoch
        self._is_warm = warmup_steps == 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._is_warm:
            return
        done = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        self._is_warm = done >= self._warmup_steps
        share = 1.0 if self._is_warm else _warmup_share(done, self._warmup_steps)
        self.model.optimizer.learning_rate = self._rate * share

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch >= self._start_from_epoch:
            super().on_epoch_end(epoch, logs)
        elif logs is not None:
            # As Keras' own does: loggers look at the first epoch for what there is.
            logs["learning_rate"] = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))


def schedule(settings: Settings, samples: int, small: bool = False) -> Any:
    """The step size of a training: a number, or a function of the number of updates.

    Args:
        settings: Give the schedule, the epochs and the batch size.
        samples: How many samples an epoch has.
        small: Whether the default is to be one for weights that learn on.

    Raises:
        ArgumentError: If the lowest step size is not below that.
    """
    optimization, epochs = settings.optimization, settings.training.epochs
    kind = str(optimization.learning_rate_schedule)
    an_epoch = math.ceil(samples / settings.training.batch_size)
    warmup_steps = _warmup_steps(settings, samples)
    steps = max(epochs * an_epoch - warmup_steps, 1)
    rate = _largest(settings, epochs * an_epoch, small)
    lowest = optimization.lowest_learning_rate
    if lowest is None:
        lowest = rate * _LOWEST_SHARES.get(kind, 0.0)
    elif lowest >= rate:
        raise checks.ArgumentError(
            "lowest_learning_rate",
            f"must be below the step size of weights that learn on, {rate:g}; given {lowest:g}",
        )
    found: Any = rate
    if kind == names.STEP:
        each = optimization.step_epochs or max(math.ceil(_STEP_SHARE * epochs), 1)
        factor = _decay_factor(optimization)
        found = schedules.ExponentialDecay(rate, each * an_epoch, factor, staircase=True)
    elif kind == names.EXPONENTIAL:
        found = schedules.ExponentialDecay(rate, an_epoch, _decay_factor(optimization))
    elif kind == names.COSINE:
        found = schedules.CosineDecay(rate, steps, alpha=lowest / rate)
    elif kind == names.CYCLICAL:
        # Smith 2017, arXiv:1506.01186, section 3.
        cycle = (optimization.cycle_epochs or _CYCLE_EPOCHS) * an_epoch
        found = PiecewiseLinear((0.0, cycle / 2, cycle), (lowest, rate, lowest), repeats=True)
    elif kind == names.ONE_CYCLE:
        # Smith and Topin 2017, arXiv:1708.07120, and Smith 2018, arXiv:1803.09820, section 4.
        knots = (0.0, _RISE * steps, 2 * _RISE * steps, float(steps))
        found = PiecewiseLinear(knots, (lowest, rate, lowest, 0.0))
    if warmup_steps and kind != names.PLATEAU:
        if kind == names.CONSTANT:
            found = _standing(rate)
        found = WarmUp(found, warmup_steps)
    return found


def callbacks(
    settings: Settings, samples: int, start_from_epoch: int, small: bool = False
) -> list[Any]:
    """The callbacks that the schedule needs: one for plateau, else none.

    Args:
        settings: Give the schedule.
        samples: How many samples an epoch has.
        start_from_epoch: The first epoch, from 0, whose validation loss counts.
        small: As for `schedule`.
    """
    optimization = settings.optimization
    if optimization.learning_rate_schedule != names.PLATEAU:
        return []
    return [
        Plateau(
            rate=schedule(settings, samples, small),
            warmup_steps=_warmup_steps(settings, samples),
            start_from_epoch=max(start_from_epoch, math.ceil(optimization.warmup_epochs)),
            factor=_decay_factor(optimization),
            patience=optimization.plateau_patience_epochs or _PLATEAU_PATIENCE_EPOCHS,
            min_lr=optimization.lowest_learning_rate or 0.0,
            verbose=min(telling.verbosity(), 1),
        )
    ]


def changes_within_epochs(settings: OptimizationSettings) -> bool:
    """Whether the step size changes not only from one epoch to the next."""
    kinds = (names.EXPONENTIAL, names.COSINE, names.CYCLICAL, names.ONE_CYCLE)
    return settings.warmup_epochs > 0 or settings.learning_rate_schedule in kinds


def end(model: keras.Model, settings: OptimizationSettings) -> None:
    """Leaves the optimizer the last step size, where its schedule is none of Keras'.

    Else the network's archive could only be read where this package is.
    """
    kind = settings.learning_rate_schedule
    own = settings.warmup_epochs > 0 or kind in (names.CYCLICAL, names.ONE_CYCLE)
    if own and kind != names.PLATEAU:
        last = float(ops.convert_to_numpy(model.optimizer.learning_rate))
        model.optimizer.learning_rate = _standing(last)


def _largest(settings: Settings, steps: int, small: bool) -> float:
    """The largest step size of a training of so many updates.

    Where the schedule takes Adam's to zero, what is best in training for bytes grows as the updates
    get fewer: coefficients have as far to go (docs/benchmarks.md).
    """
    given = settings.optimization
    if given.learning_rate is not None:
        return given.learning_rate
    rate = names.DEFAULT_LEARNING_RATES[given.optimizer] / (fine_tuning.DIVISOR if small else 1)
    if given.learning_rate_schedule != names.COSINE or given.optimizer not in _LIKE_ADAM:
        return rate
    factor = max((_STEPS_AT_RATE / steps) ** (2 / 3), 1.0)
    if settings.compression.is_structured:
        factor *= _STRUCTURED_FACTOR
    return rate * min(factor, _LARGEST_FACTOR)


def _decay_factor(settings: OptimizationSettings) -> float:
    default = _DECAY_FACTORS[str(settings.learning_rate_schedule)]
    return default if settings.decay_factor is None else settings.decay_factor


def _warmup_steps(settings: Settings, samples: int) -> int:
    an_epoch = math.ceil(samples / settings.training.batch_size)
    return round(settings.optimization.warmup_epochs * an_epoch)


def _warmup_share(done: Any, steps: int) -> Any:
    """The share of the step size after so many updates of a warm-up."""
    return (done + 1) / (steps + 1)


def _standing(rate: float) -> schedules.LearningRateSchedule:
    """A schedule that does not change the step size."""
    return schedules.ExponentialDecay(rate, decay_steps=1, decay_rate=1.0)
