"""One trial of a search: a run that tells how good its settings are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import optuna
from optuna.trial import FrozenTrial, TrialState

from dwt_keras import checks, files
from dwt_keras.compression import schedule
from dwt_keras.settings import Settings, space
from dwt_keras.settings.tuning import ACCURACY, BYTES, NONE, TuningSettings
from dwt_keras.studies import members, samplers, trial_queue
from dwt_keras.training import data, scoring
from dwt_keras.views import study_view, tensorboard_run

Holds = Callable[[optuna.Trial], bool]

FOLDER = "trials"
# The user attribute of a trial that has what its metrics.json says.
_METRICS = "metrics"
# And of one that was not trained the number of that whose parameters it has.
_SAME_AS = "same_as"
_CONSTRAINT = "accuracy"


def of(found: FrozenTrial) -> study_view.Trial:
    """A trial of Optuna's that is over."""
    states = {
        TrialState.COMPLETE: study_view.COMPLETE,
        TrialState.PRUNED: study_view.PRUNED,
        TrialState.FAIL: study_view.FAILED,
    }
    metrics = dict(found.user_attrs.get(_METRICS, {}))
    if found.state == TrialState.PRUNED:
        metrics["validation_accuracy"] = found.value
    return study_view.Trial(
        found.number,
        states[found.state],
        dict(found.params),
        metrics,
        str(found.user_attrs.get(trial_queue.FAILURE, "")),
        found.user_attrs.get(_SAME_AS),
        all(value <= 0 for value in found.constraints.values()),
    )


class Maker:
    """Makes the trials of a study.

    Args:
        settings: What all of them have in common.
        tuning: The search.
        dataset: The data; the test part is not touched.
        folder: The study's.
        least_accuracy: The validation accuracy that is asked for; None for any.
    """

    def __init__(
        self,
        settings: Settings,
        tuning: TuningSettings,
        dataset: data.Dataset,
        folder: Path,
        least_accuracy: float | None,
    ) -> None:
        self._settings, self._tuning, self._dataset = settings, tuning, dataset
        self._parameters: space.Space = tuning.parameters
        self._folder = folder / FOLDER
        self._least_accuracy = least_accuracy

    def make(self, study: optuna.Study, trial: optuna.Trial, holds: Holds) -> bool:
        """Makes a trial, and tells the study what it came to.

        What the settings or the network refuse, and what else goes wrong with one trial, makes it a
        failed one; a disk or a storage that cannot be written ends the study.

        Args:
            study: The study.
            trial: The trial.
            holds: Whether it is still this process's.

        Returns:
            Whether the study was told: not where the trial is another process's by now.
        """
        values = samplers.suggest(trial, self._parameters)
        state, failure = TrialState.COMPLETE, ""
        same = _same(study, trial)
        metrics: Mapping[str, Any] = {}
        try:
            with files.full_disk_told():
                metrics = same.user_attrs[_METRICS] if same else self._train(trial, values).metrics
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except (OSError, optuna.exceptions.StorageInternalError):
            raise
        except Exception as error:  # Of Keras, of TensorFlow, or a UserError.
            state, failure = TrialState.FAIL, checks.said(error)
        if not holds(trial):
            return False
        if failure:
            trial.set_user_attr(trial_queue.FAILURE, failure)
        if same:
            trial.set_user_attr(_SAME_AS, same.number)
        study.tell(trial, self._objectives(trial, metrics) if metrics else None, state)
        return True

    def _objectives(self, trial: optuna.Trial, metrics: Mapping[str, Any]) -> list[float]:
        """What a complete trial came to; notes what else the study keeps of it."""
        trial.set_user_attr(_METRICS, {name: metrics[name] for name in metrics if _is_told(name)})
        found = {ACCURACY: metrics["validation_accuracy"], BYTES: metrics["bytes"]["dwtz"]}
        if self._least_accuracy is not None and not trial.constraints:
            missing = self._least_accuracy - found[ACCURACY] - scoring.ROUNDING
            trial.set_constraint(_CONSTRAINT, missing)
        return [found[name] for name in self._tuning.names]

    def _train(self, trial: optuna.Trial, values: Mapping[str, Any]) -> members.Member:
        place = self._folder / f"{trial.number:03d}"
        settings = space.changed(self._settings, self._parameters, values)
        watching: Sequence[Any] = ()
        if self._tuning.prune_trials != NONE:
            watching = [_Pruning(trial, settings)]
        found = members.train(settings, self._dataset, place, watching, is_trial=True)
        tensorboard_run.write(
            place / "tensorboard", settings, found.metrics, place.name, parameters=list(values)
        )
        return found


def _same(study: optuna.Study, trial: optuna.Trial) -> FrozenTrial | None:
    """A complete trial with the parameters of another, which would come to the same.

    All trials have one seed, so that nothing would be learnt from another training.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((each for each in complete if each.params == trial.params), None)


class _Pruning(keras.callbacks.Callback):
    """Reports the validation accuracy of epochs in which the threshold is full, and gives up.

    Before, the accuracy says how far the ramp is, not how good the network will be. The steps that
    are reported count from there, from 1. After the last epoch there is nothing left to be saved.
    """

    def __init__(self, trial: optuna.Trial, settings: Settings) -> None:
        super().__init__()
        self._trial = trial
        self._epochs = settings.training.epochs
        self._first = schedule.first_full_epoch(settings.compression, self._epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self._first <= epoch < self._epochs - 1:
            return
        step = epoch - self._first + 1
        # Of a trial that goes on it may have been told before.
        if step not in self._trial.study.trials[self._trial.number].intermediate_values:
            self._trial.report(float((logs or {})["val_accuracy"]), step)
        if self._trial.should_prune():
            raise optuna.TrialPruned


def _is_told(name: str) -> bool:
    """Whether the study keeps a figure of a trial: those by layer are in its folder alone."""
    return name != "zero_fraction_by_layer"
