"""The smallest network that keeps to a loss of accuracy, found by training for several sizes.

A size is the bytes of the file, or how many rows or columns remain, in ten thousandths. Accuracy
grows about linearly with its logarithm, so that the next size to try follows from those tried. Each
trial is a whole training of its own, as the accuracy that a size allows is known only at its end.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dwt_keras.compression import byte_target, packing
from dwt_keras.settings import Settings
from dwt_keras.training import best_epoch, control, data, fitting, scoring, telling, transfer

# The first size, as a share of the weights in float32, and of the rows or columns; the least of
# those.
_FIRST_SHARE, _FIRST_KEPT, _LEAST_KEPT = 0.02, 0.25, 0.001
WHOLE = 10_000
# How many sizes are tried, unless two that enclose the goal come this close before.
TRIALS = 4
_CLOSE = 1.15
# What half the size costs in accuracy, as a share of the allowed loss, while one size is known.
_HALVING = 0.5
# No step is larger than this, by which the line is not to be trusted.
_FARTHEST = 8.0
# How far a size must lie from one that was tried, as a share of the way or in octaves.
_MARGIN = 0.25


@dataclasses.dataclass(frozen=True)
class Trial:
    """A size and the accuracy that it allowed.

    Attributes:
        size: What was trained for.
        validation_accuracy: What the network then reached, 0 to 1.
    """

    size: int
    validation_accuracy: float


@dataclasses.dataclass(frozen=True)
class Found:
    """A trained network, and how it was found.

    Attributes:
        trained: The network.
        record: What metrics.json says of the search.
    """

    trained: fitting.Trained
    record: dict[str, Any] = dataclasses.field(default_factory=dict)


def with_target(settings: Settings, size: int) -> Settings:
    """The same settings for a size in the place of the allowed loss."""
    name, value = _field(settings, size)
    changes: dict[str, Any] = {"max_accuracy_drop": None, name: value}
    compression = dataclasses.replace(settings.compression, **changes)
    return dataclasses.replace(settings, compression=compression)


def _field(settings: Settings, size: int) -> tuple[str, Any]:
    """The setting that stands for a size, and its value."""
    if settings.compression.is_structured:
        return f"keep_{settings.compression.structure}", size / WHOLE
    return "target_bytes", size


def first_and_least(settings: Settings, dataset: data.Dataset) -> tuple[int, int]:
    """The size that is tried first, and that below which none is."""
    if settings.compression.is_structured:
        return round(_FIRST_KEPT * WHOLE), round(_LEAST_KEPT * WHOLE)
    model = fitting.build(settings, dataset)
    found = fitting.find_kernels(model, settings)
    # The head's biases cost more once they have learnt.
    least = byte_target.file_size(model, found).least() + transfer.head_bytes(model, settings)
    return max(round(_FIRST_SHARE * 4 * model.count_params()), least), least


def smallest(
    settings: Settings,
    dataset: data.Dataset,
    folder: Path,
    first: int,
    least: int,
    callbacks: Sequence[Any] = (),
) -> Found:
    """Trains for several sizes; returns the smallest network within the allowed loss.

    Of a search that was interrupted, trials that are over are taken from their checkpoints.

    Args:
        settings: What to do; the loss counts from the validation accuracy of the dense control.
        dataset: The data.
        folder: Gets history.csv and event files of each trial, in a folder of its own.
        first: The size to try first.
        least: The smallest size there is.
        callbacks: As for `fitting.fit`; they watch every trial.

    Returns:
        The network; the most accurate one where none keeps to the loss, and the record says so.
    """
    allowed = float(settings.compression.max_accuracy_drop or 0.0)
    dense = control.dense(settings, dataset)
    goal = dense.validation_accuracy - allowed - scoring.ROUNDING
    if settings.compression.is_structured:
        goal += settings.coding.coding_accuracy_drop  # Spent when the file is made.
    telling.say(f"dense control: validation accuracy {dense.validation_accuracy:.4f}")
    trained: dict[int, tuple[fitting.Trained, Path]] = {}

    def trial(size: int) -> Trial:
        wanted = with_target(settings, size)
        name, value = _field(settings, size)
        place = folder / "trials" / f"{len(trials) + 1}-{name.rpartition('_')[2]}{value:g}"
        place.mkdir(parents=True, exist_ok=True)
        found = fitting.fit(fitting.prepare(wanted, dataset), wanted, dataset, place, callbacks)
        if wanted.compression.target_bytes is not None:
            # What counts is the network that its file holds.
            packing.assign(found.model, packing.pack(found.model, found.compression.targets))
        accuracy = scoring.validation_accuracy(found.model, dataset)
        said = "within" if accuracy >= goal else "below"
        telling.say(f"{name} {value:g}: validation accuracy {accuracy:.4f}, {said} {goal:.4f}")
        tried = Trial(size, accuracy)
        if choose([*trials, tried], goal) is tried:
            trained.clear()
            trained[size] = found, place
        return tried

    trials: list[Trial] = []
    most = WHOLE if settings.compression.is_structured else sys.maxsize
    search(trial, goal, allowed, first, trials, least, most)
    best = choose(trials, goal)
    record = {
        "accuracy_drop": {
            "control_validation_accuracy": dense.validation_accuracy,
            "control_test_accuracy": dense.test_accuracy,
            "validation_accuracy": best.validation_accuracy,
            "within": best.validation_accuracy >= goal,
            "chosen_trial": trials.index(best) + 1,
            "trials": [
                {
                    _field(settings, each.size)[0]: _field(settings, each.size)[1],
                    "validation_accuracy": each.validation_accuracy,
                }
                for each in trials
            ],
        }
    }
    network, place = trained[best.size]
    if (place / best_epoch.FILE).exists():
        os.replace(place / best_epoch.FILE, folder / best_epoch.FILE)
    return Found(network, record)


def judge(record: dict[str, Any], accuracy: float, settings: Settings) -> None:
    """Sets what the record of a search says of the network that ships.

    Args:
        record: Of `Found`.
        accuracy: Validation accuracy of the network with the weights of its file.
        settings: What was allowed.
    """
    found = record["accuracy_drop"]
    allowed = float(settings.compression.max_accuracy_drop or 0)
    goal = found["control_validation_accuracy"] - allowed - scoring.ROUNDING
    found["validation_accuracy"] = accuracy
    found["within"] = accuracy >= goal


def search(
    trial: Callable[[int], Trial],
    goal: float,
    allowed: float,
    first: int,
    trials: list[Trial],
    least: int = 1,
    most: int = sys.maxsize,
) -> None:
    """Tries sizes until the smallest that reaches a goal is enclosed.

    Args:
        trial: Tries a size.
        goal: The accuracy to reach, 0 to 1.
        allowed: The loss that it allows.
        first: The size to begin with.
        trials: Gets the trials, in their order.
        least: The smallest size there is.
        most: The largest.
    """
    size = first
    while len(trials) < TRIALS:
        trials.append(trial(size))
        enclosing = _enclosing(trials, goal)
        if enclosing is not None:
            lower, upper = enclosing
            if upper.size <= _CLOSE * lower.size:
                return
        size = min(max(_next(trials, goal, allowed), least), most)
        if any(size == each.size for each in trials):
            return


def choose(trials: Sequence[Trial], goal: float) -> Trial:
    """The smallest that reaches the goal, or the most accurate where none does."""
    reaching = [each for each in trials if each.validation_accuracy >= goal]
    if reaching:
        return min(reaching, key=lambda each: each.size)
    return max(trials, key=lambda each: each.validation_accuracy)


def _enclosing(trials: Sequence[Trial], goal: float) -> tuple[Trial, Trial] | None:
    """The largest below the smallest that reaches the goal, and that one."""
    above = [each for each in trials if each.validation_accuracy >= goal]
    if not above:
        return None
    upper = min(above, key=lambda each: each.size)
    below = [each for each in trials if each.size < upper.size]
    return (max(below, key=lambda each: each.size), upper) if below else None


def _next(trials: Sequence[Trial], goal: float, allowed: float) -> int:
    """Where a line through two trials reaches the goal."""
    enclosing = _enclosing(trials, goal)
    if enclosing is not None:
        lower, upper = enclosing
        rise = upper.validation_accuracy - lower.validation_accuracy
        share = (goal - lower.validation_accuracy) / rise
        # Not so near to either that noise decides.
        share = min(max(share, _MARGIN), 1.0 - _MARGIN)
        return round(lower.size * (upper.size / lower.size) ** share)
    nearest = sorted(trials, key=lambda each: abs(each.validation_accuracy - goal))
    here = nearest[0]
    slope = _HALVING * max(allowed, 1e-3)
    if len(nearest) > 1:
        there = nearest[1]
        octaves = math.log2(here.size / there.size)
        measured = (here.validation_accuracy - there.validation_accuracy) / octaves
        # Noise must not make it flat, or turn it round.
        slope = max(measured, slope / 4)
    octaves = (goal - here.validation_accuracy) / slope
    # Somewhat beyond, so that the goal is enclosed.
    octaves += math.copysign(_MARGIN, octaves)
    bound = math.log2(_FARTHEST)
    return max(round(here.size * 2.0 ** min(max(octaves, -bound), bound)), 1)
