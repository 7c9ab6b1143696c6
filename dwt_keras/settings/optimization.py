"""How the loss is brought down: the optimizer, its step size over the training, and when to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dwt_keras import checks
from dwt_keras.settings.budget import BYTES
from dwt_keras.settings.fields import setting

# Those of Keras, but for lion: its updates are larger (Chen and others 2023, arXiv:2302.06675).
DEFAULT_LEARNING_RATES = {
    "adam": 1e-3,
    "adamw": 1e-3,
    "sgd": 1e-2,
    "rmsprop": 1e-3,
    "nadam": 1e-3,
    "lion": 1e-4,
}
OPTIMIZERS = tuple(DEFAULT_LEARNING_RATES)
WITH_MOMENTUM = ("sgd", "rmsprop")

CONSTANT, STEP, EXPONENTIAL, COSINE = "constant", "step", "exponential", "cosine"
CYCLICAL, ONE_CYCLE, PLATEAU = "cyclical", "one_cycle", "plateau"
LEARNING_RATE_SCHEDULES = (CONSTANT, STEP, EXPONENTIAL, COSINE, CYCLICAL, ONE_CYCLE, PLATEAU)

METRICS = ("val_loss", "val_accuracy")

# Fields that only some schedules have, and which.
_OF_SCHEDULES = {
    "step_epochs": (STEP,),
    "decay_factor": (STEP, EXPONENTIAL, PLATEAU),
    "lowest_learning_rate": (COSINE, CYCLICAL, ONE_CYCLE, PLATEAU),
    "cycle_epochs": (CYCLICAL,),
    "plateau_patience_epochs": (PLATEAU,),
}


@dataclass(frozen=True)
class OptimizationSettings:
    """How the loss is brought down: the optimizer, its step size, and when to end.

    Raises:
        ArgumentError: On the first field that is out of range, or that has no meaning beside
            another.
    """

    optimizer: str = setting("adam", "Optimizer: adam, adamw, sgd, rmsprop, nadam or lion.")
    momentum: float | None = setting(
        None,
        "Share of the last update that goes into the next, for sgd and rmsprop (default: 0). "
        "Raising it smooths the updates and speeds up flat stretches; above 0.9 it overshoots "
        "easily.",
    )
    weight_decay: float | None = setting(
        None,
        "Share of each kernel, times the learning rate, that every update takes away; biases and "
        "other vectors are spared (default: 0.004 for adamw, else none). Raising it keeps "
        "weights smaller and fits the training data less closely.",
    )
    clip_norm: float | None = setting(
        None,
        "Norm of all gradients together at most; larger ones are scaled down to it (default: no "
        "limit). Lowering it steadies a training that jumps, and slows it.",
    )
    learning_rate: float | None = setting(
        None,
        "The optimizer's step size, the largest where a schedule changes it (default: 0.001, for "
        "sgd 0.01, for lion 0.0001; with the cosine schedule adam, adamw and nadam get more where "
        "there are fewer than 12,000 gradient updates, and where rows or columns go, up to five "
        "times as much; a tenth of all that for a pretrained applications:NAME that is not frozen, "
        "and for layers before a batch normalisation that is).",
    )
    learning_rate_schedule: str | None = setting(
        None,
        "How the step size changes: constant; step, which lowers it every --step_epochs; "
        "exponential, which lowers it all the time; cosine, which takes it to zero by the last "
        "epoch; cyclical, up and down in triangles; one_cycle, up for 45 % of the updates, down "
        "for as many, then to zero; plateau, which lowers it where the validation loss stands "
        "still, from the epoch on at which the threshold is full (default: cosine with "
        "target_bytes, max_accuracy_drop, keep_rows or keep_columns, else constant).",
    )
    warmup_epochs: float = setting(
        0.0,
        "Epochs, or parts of one, in which the step size grows from zero to the schedule's first, "
        "before the schedule begins. Raising it steadies the first updates of large steps.",
    )
    step_epochs: int | None = setting(
        None,
        "Epochs between two lowerings of the step size by the schedule step (default: a third of "
        "the epochs). Raising it lowers the step size less often.",
    )
    decay_factor: float | None = setting(
        None,
        "What the step size is multiplied by: by step each time (default: 0.1), by exponential "
        "over an epoch (0.9), by plateau each time (0.5). Lowering it makes the step size fall "
        "faster.",
    )
    lowest_learning_rate: float | None = setting(
        None,
        "Step size where cyclical begins and turns (default: a quarter of learning_rate), where "
        "one_cycle begins (a tenth), and which cosine and plateau do not fall below (0).",
    )
    cycle_epochs: float | None = setting(
        None,
        "Epochs from one lowest step size of cyclical to the next (default: 4). Raising it makes "
        "changes slower.",
    )
    plateau_patience_epochs: int | None = setting(
        None,
        "Epochs without a lower validation loss after which plateau lowers the step size "
        "(default: 3). Raising it waits longer.",
    )
    early_stopping_patience_epochs: int | None = setting(
        None,
        "End the training after so many epochs that bring no better shrunk network, and go back to "
        "the best one (default: train to the end and keep the last). Watched are only epochs in "
        "which the threshold is full, bases are chosen and, with target_bytes, coefficients are "
        "quantised. Raising it waits longer; more than there are epochs never ends early, but "
        "still keeps the best.",
    )
    early_stopping_metric: str = setting(
        "val_loss", "What tells which epoch is best: val_loss or val_accuracy."
    )

    def __post_init__(self) -> None:
        self._check_optimizer()
        checks.real("warmup_epochs", self.warmup_epochs, least=0.0)
        self._check_schedule()
        if self.early_stopping_patience_epochs is not None:
            checks.integer(
                "early_stopping_patience_epochs", self.early_stopping_patience_epochs, least=1
            )
        checks.choice("early_stopping_metric", self.early_stopping_metric, METRICS)
        if self.early_stopping_metric != METRICS[0] and not self.stops_early:
            raise checks.ArgumentError(
                "early_stopping_metric",
                "needs early_stopping_patience_epochs, without which nothing is watched; given "
                f"{self.early_stopping_metric!r}",
            )

    @property
    def stops_early(self) -> bool:
        """Whether the best epoch is looked for."""
        return self.early_stopping_patience_epochs is not None

    def _check_optimizer(self) -> None:
        checks.choice("optimizer", self.optimizer, OPTIMIZERS)
        if self.momentum is not None:
            checks.real("momentum", self.momentum, least=0.0, below=1.0)
            if self.optimizer not in WITH_MOMENTUM:
                raise checks.ArgumentError(
                    "momentum",
                    f"needs optimizer={' or '.join(WITH_MOMENTUM)}; given {self.momentum!r} "
                    f"beside optimizer={self.optimizer}",
                )
        if self.weight_decay is not None:
            checks.real("weight_decay", self.weight_decay, least=0.0)
        if self.clip_norm is not None:
            checks.real("clip_norm", self.clip_norm, above=0.0)

    def _check_schedule(self) -> None:
        rate, lowest = self.learning_rate, self.lowest_learning_rate
        if rate is not None:
            checks.real("learning_rate", rate, above=0.0)
        if self.step_epochs is not None:
            checks.integer("step_epochs", self.step_epochs, least=1)
        if self.decay_factor is not None:
            checks.real("decay_factor", self.decay_factor, above=0.0, below=1.0)
        if lowest is not None:
            checks.real("lowest_learning_rate", lowest, least=0.0)
            rate = DEFAULT_LEARNING_RATES[self.optimizer] if rate is None else rate
            if lowest >= rate:
                raise checks.ArgumentError(
                    "lowest_learning_rate",
                    f"must be below learning_rate, {rate:g}; given {lowest:g}",
                )
        if self.cycle_epochs is not None:
            checks.real("cycle_epochs", self.cycle_epochs, above=0.0)
        if self.plateau_patience_epochs is not None:
            checks.integer("plateau_patience_epochs", self.plateau_patience_epochs, least=1)
        schedule = self.learning_rate_schedule
        if schedule is None:  # Follows from other groups, which then check again.
            return
        checks.choice("learning_rate_schedule", schedule, LEARNING_RATE_SCHEDULES)
        for name, having in _OF_SCHEDULES.items():
            given = getattr(self, name)
            if given is not None and schedule not in having:
                *others, last = having
                either = f"{', '.join(others)} or {last}" if others else last
                raise checks.ArgumentError(
                    name,
                    f"needs learning_rate_schedule={either}; given {given!r} beside "
                    f"learning_rate_schedule={schedule}",
                )


def check_within(settings: OptimizationSettings, compression: Any, epochs: int) -> None:
    """Checks that what counts in epochs lies within a training of so many.

    Args:
        settings: The settings.
        compression: The `CompressionSettings` beside them.
        epochs: Epochs of the training.

    Raises:
        ArgumentError: If something does not, and so would never happen.
    """
    if settings.warmup_epochs >= epochs:
        raise checks.ArgumentError(
            "warmup_epochs",
            f"must lie before the last epoch, {epochs}; given {settings.warmup_epochs:g}",
        )
    if settings.step_epochs is not None and settings.step_epochs >= epochs - settings.warmup_epochs:
        raise checks.ArgumentError(
            "step_epochs",
            f"must be below the epochs of the schedule, {epochs - settings.warmup_epochs:g}; given "
            f"{settings.step_epochs}",
        )
    # A threshold's ramp and a choice of bases end within the training; only what is trained
    # quantised needs epochs after that.
    last_choice = max(compression.choose_basis_epochs or (0,))
    if (
        settings.stops_early
        and compression.threshold_rule == BYTES
        and (epochs == 1 or last_choice >= epochs)
    ):
        raise checks.ArgumentError(
            "early_stopping_patience_epochs",
            f"needs epochs of {epochs} that are trained quantised, with {compression.budget}; "
            f"given {settings.early_stopping_patience_epochs}",
        )
