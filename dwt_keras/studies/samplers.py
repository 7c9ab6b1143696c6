"""How a search chooses the next trial, and gives one up: Optuna's samplers and pruners."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

from dwt_keras.compression import schedule
from dwt_keras.settings import Settings, space
from dwt_keras.settings.tuning import GRID, HYPERBAND, MEDIAN, NSGA2, RANDOM, TuningSettings

# Trials before a Bayesian search learns from them: a third, but no more than Optuna's own number.
_STARTUP_SHARE, _MOST_STARTUP = 3, 10
# Trials of a generation, and generations where there are few trials.
_POPULATION, _LEAST_POPULATION, _GENERATIONS = 50, 4, 4
# Trials to compare with before one is given up by their median.
_LEAST_COMPARED = 4


def sampler_of(tuning: TuningSettings, seed: int) -> Callable[[int], BaseSampler]:
    """What makes the sampler of each trial from its number.

    Each trial has a sampler of its own, whose seed follows from the study's and the number: what is
    drawn depends neither on how often a study was interrupted nor on which process draws.

    Args:
        tuning: The search.
        seed: The study's.
    """

    def make(number: int) -> BaseSampler:
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        count = int(tuning.trials or 1)
        if tuning.search in (GRID, RANDOM):
            return RandomSampler(seed=own)
        if tuning.search == NSGA2:
            size = min(_POPULATION, max(_LEAST_POPULATION, count // _GENERATIONS))
            return NSGAIISampler(population_size=size, seed=own)
        startup = min(_MOST_STARTUP, max(1, count // _STARTUP_SHARE))
        # It draws all parameters together for one objective, one by one for two.
        return TPESampler(n_startup_trials=startup, seed=own)

    return make


def pruner_of(tuning: TuningSettings, settings: Settings) -> BasePruner:
    """The pruner of a search.

    Args:
        tuning: The search.
        settings: What its trials have in common.
    """
    if tuning.prune_trials == MEDIAN:
        return MedianPruner(n_startup_trials=_LEAST_COMPARED)
    if tuning.prune_trials == HYPERBAND:
        # Epochs from the first in which the threshold is full, which are the steps that count.
        left = (
            each.training.epochs - schedule.first_full_epoch(each.compression, each.training.epochs)
            for each in space.candidates(settings, tuning.parameters)
        )
        return HyperbandPruner(min_resource=1, max_resource=max(left))
    return NopPruner()


def given(tuning: TuningSettings, seed: int) -> list[dict[str, Any]]:
    """The parameters of each trial of a grid, a sample of it where there are fewer; else none."""
    count = int(tuning.trials or 0)
    if tuning.search != GRID:
        return [{}] * count
    parameters = tuning.parameters
    chosen = random.Random(seed).sample(range(space.grid_size(parameters)), count)
    return [space.grid_point(parameters, number) for number in sorted(chosen)]


def suggest(trial: optuna.Trial, parameters: space.Space) -> dict[str, Any]:
    """The parameters of a trial by name, drawn where they have not been."""
    return {each.name: _suggested(trial, each) for each in parameters}


def _suggested(trial: optuna.Trial, parameter: space.Parameter) -> Any:
    name, low, high, is_log = parameter.name, parameter.low, parameter.high, parameter.is_log
    if parameter.choices:
        return trial.suggest_categorical(name, parameter.choices)
    if parameter.is_whole:
        return trial.suggest_int(name, int(low), int(high), log=is_log)
    return trial.suggest_float(name, low, high, log=is_log)
