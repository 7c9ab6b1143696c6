"""A search over settings: trials, the best of them, and what is to be seen of them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from dwt_keras import checks, files
from dwt_keras.settings import Settings, space
from dwt_keras.settings.studies import StudySettings
from dwt_keras.settings.tuning import ACCURACY, BYTES, TuningSettings
from dwt_keras.settings.views import NONE
from dwt_keras.studies import members, progress, samplers, storages, trial_queue, trials
from dwt_keras.studies.outcome import Outcome
from dwt_keras.training import checkpoint, claims, control, data, resuming, runs, scoring
from dwt_keras.views import study_view, trial_table

BEST = "best"
_DIRECTIONS = {ACCURACY: StudyDirection.MAXIMIZE, BYTES: StudyDirection.MINIMIZE}
# What is another on another machine, or from one process of a study to the next.
_PLACES = ("save_dir", "data_dir", "storage", "resume")
# With fewer trials nothing can be said of what matters.
_LEAST_TELLING = 4


@dataclasses.dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        view: All trials, and the best.
        settings: Those of the best trial.
    """

    view: study_view.StudyView
    settings: Settings


def run(
    settings: Settings, study: StudySettings, dataset: data.Dataset, folder: Path, label: str = ""
) -> Outcome:
    """Searches, trains the best again with all that a run leaves, and draws what was found.

    Several processes may do so in one folder: they share the trials, and all of them end once the
    study is complete.

    Args:
        settings: What all trials have in common.
        study: The search.
        dataset: The data. Their test part is touched once, by the best.
        folder: The study's.
        label: As for `search`.

    Raises:
        UserError: If no trial could be completed.
    """
    found = search(settings, study.tuning, dataset, folder, label)
    with contextlib.ExitStack() as stack:
        # One process trains the best; those that waited find it.
        _alone(folder, stack)
        if members.done(folder / BEST) is None:
            print(f"training trial {found.view.best.number:03d} again, to be exported", flush=True)
        best = members.train(found.settings, dataset, folder / BEST)
        write_views(found.view, folder, settings.views.figures)
        checkpoint.remove(folder)
    return Outcome(_record(found.view, best), _text(found.view, best, folder))


def search(
    settings: Settings,
    tuning: TuningSettings,
    dataset: data.Dataset,
    folder: Path,
    label: str = "",
) -> Found:
    """Makes the trials that are not made yet; touches no test data, but for those of a control.

    Args:
        settings: What all trials have in common.
        tuning: The search.
        dataset: The data.
        folder: Where trials go, and where a search that was interrupted goes on.
        label: What tells it from other searches with the same settings in one storage.

    Raises:
        UserError: If no trial could be completed.
    """
    with contextlib.ExitStack() as stack:
        place = tuning.storage or storages.of_folder(folder)
        with contextlib.ExitStack() as beginning:
            _alone(folder, beginning)
            least = _least_accuracy(settings, tuning, dataset)
            storage = stack.enter_context(storages.opened(place))
            study, is_alone = _study(settings, tuning, storage, folder, label)
            queue = trial_queue.Queue(study, storage, folder, stack)
            given = samplers.given(tuning, settings.training.seed)
            queue.fill(given, is_alone=is_alone or tuning.storage is None)
        maker = trials.Maker(settings, tuning, dataset, folder, least)
        sampler_of = samplers.sampler_of(tuning, settings.training.seed)
        with progress.over("trial", len(given), queue.done) as shown:
            for trial in queue.taken(sampler_of):
                with queue.beating(trial):
                    is_told = maker.make(study, trial, queue.holds)
                if not is_told:
                    print(f"trial {trial.number:03d}: another process has taken it over")
                    continue
                made = trials.of(queue.trials[trial.number])
                said = f"{trial.number:03d}: {study_view.summary(made)}"
                shown.step(said, queue.done)
        view = _view([trials.of(each) for each in queue.trials], study, tuning, least)
    return Found(view, space.changed(settings, tuning.parameters, view.best.values))


def write_views(view: study_view.StudyView, folder: Path, figures: str) -> None:
    """Writes trials.csv and, unless they are not wanted, the figures of a search."""
    names = list(view.best.values)
    files.write_text(folder / "trials.csv", trial_table.comma_separated(view.trials, names))
    if figures == NONE:
        return
    # Here, as it loads Matplotlib.
    from dwt_keras.views import study_figures

    try:
        study_figures.write(view, folder / "figures", figures)
    except Exception as error:  # Of Matplotlib, say: it costs no trial.
        print(f"no figures: {checks.said(error)}")


def front(complete: Sequence[study_view.Trial]) -> tuple[study_view.Trial, ...]:
    """The trials of which none other is better in one objective and as good in the other."""

    def is_beaten(trial: study_view.Trial) -> bool:
        mine = (-trial.accuracy, trial.bytes)
        theirs = [(-each.accuracy, each.bytes) for each in complete]
        return any(one[0] <= mine[0] and one[1] <= mine[1] and one != mine for one in theirs)

    return tuple(trial for trial in complete if not is_beaten(trial))


def best_of(
    complete: Sequence[study_view.Trial], objectives: Sequence[str], drop: float
) -> study_view.Trial:
    """The trial to be trained again.

    Args:
        complete: Complete trials, one at least.
        objectives: What they are to be best in.
        drop: With both objectives, how much less accurate than the most accurate it may be.

    Returns:
        The most accurate; for bytes the smallest that is accurate enough, or the most accurate
        where none is; for both the smallest within `drop` of the most accurate.
    """
    most = max(complete, key=lambda trial: (trial.accuracy, -trial.bytes))
    if BYTES not in objectives:
        return most
    if ACCURACY in objectives:
        least = most.accuracy - drop - scoring.ROUNDING
        within = [each for each in complete if each.accuracy >= least]
    else:
        within = [each for each in complete if each.is_feasible]
    return min(within or [most], key=lambda trial: (trial.bytes, -trial.accuracy))


def _alone(folder: Path, stack: contextlib.ExitStack) -> None:
    """Waits until no other process begins or ends the study."""
    place = folder / runs.CHECKPOINT
    place.mkdir(parents=True, exist_ok=True)
    claims.claim(place / "turn", stack, waits=True)


def _least_accuracy(
    settings: Settings, tuning: TuningSettings, dataset: data.Dataset
) -> float | None:
    """The validation accuracy that trials must have; trains the dense control if one is needed."""
    if tuning.names != (BYTES,):
        return None
    return control.dense(settings, dataset).validation_accuracy - float(
        tuning.allowed_accuracy_drop or 0.0
    )


def _study(
    settings: Settings, tuning: TuningSettings, storage: BaseStorage, folder: Path, label: str
) -> tuple[optuna.Study, bool]:
    """The study in its storage, and whether it is new there.

    Its name follows from the settings, so that the same command finds it on every machine.

    Raises:
        UserError: If it is new, though the folder has trials of it already.
    """
    identity = resuming.identity(settings, StudySettings(tuning=tuning))
    told = {name: value for name, value in identity.items() if name not in _PLACES}
    text = json.dumps(told, sort_keys=True, default=str) + label
    group = runs.group_folder(settings, StudySettings(tuning=tuning)).parent.name
    name = f"{group}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
    pruner = samplers.pruner_of(tuning, settings)
    if (folder / trials.FOLDER).exists() and name not in optuna.get_all_study_names(storage):
        raise checks.UserError(
            f"{storages.named(tuning.storage or storages.of_folder(folder))} does not have the "
            f"trials that {folder} has: it must be the storage that the study was begun with"
        )
    try:
        directions = [_DIRECTIONS[each] for each in tuning.names]
        made = optuna.create_study(
            study_name=name, storage=storage, directions=directions, pruner=pruner
        )
        return made, True
    except optuna.exceptions.DuplicatedStudyError:
        return optuna.load_study(study_name=name, storage=storage, pruner=pruner), False


def _view(
    all_trials: Sequence[study_view.Trial],
    study: optuna.Study,
    tuning: TuningSettings,
    least_accuracy: float | None,
) -> study_view.StudyView:
    complete = [trial for trial in all_trials if trial.state == study_view.COMPLETE]
    if not complete:
        failures = [trial.failure for trial in all_trials if trial.failure]
        said = f"the first of the failures: {failures[0]}" if failures else "all were pruned"
        raise checks.UserError(f"none of {len(all_trials)} trials could be completed; {said}")
    return study_view.StudyView(
        tuple(all_trials),
        tuning.names,
        best_of(complete, tuning.names, tuning.allowed_accuracy_drop or 0.0),
        front(complete) if len(tuning.names) > 1 else (),
        _importances(study, tuning, len(complete)),
        least_accuracy,
    )


def _importances(
    study: optuna.Study, tuning: TuningSettings, complete: int
) -> Mapping[str, Mapping[str, float]]:
    """What each parameter decides, by objective; empty where that cannot be told."""
    if complete < _LEAST_TELLING:
        return {}
    found = {}
    for number, name in enumerate(tuning.names):
        # PED-ANOVA takes low values for good ones.
        sign = -1.0 if study.directions[number] == StudyDirection.MAXIMIZE else 1.0

        def target(trial: FrozenTrial, at: int = number, sign: float = sign) -> float:
            return sign * trial.values[at]

        # Of values that are all the same nothing can be told.
        with contextlib.suppress(ValueError, RuntimeError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It says so in any case.
            found[name] = optuna.importance.get_param_importances(study, target=target)
    return found


def _record(view: study_view.StudyView, best: members.Member) -> dict[str, Any]:
    states = [trial.state for trial in view.trials]
    return {
        "trials": {state: states.count(state) for state in dict.fromkeys(states)},
        "objectives": list(view.objectives),
        **({} if view.least_accuracy is None else {"least_accuracy": view.least_accuracy}),
        "best": {
            "trial": view.best.number,
            "parameters": dict(view.best.values),
            "validation_accuracy": view.best.accuracy,
            "test_accuracy": best.metrics["test_accuracy"],
            "bytes": best.metrics["bytes"]["dwtz"],
        },
        **({"front": [trial.number for trial in view.front]} if view.front else {}),
        "importances": {name: dict(found) for name, found in view.importances.items()},
    }


def _text(view: study_view.StudyView, best: members.Member, folder: Path) -> str:
    lines = [trial_table.table(view), ""]
    if not view.best.is_feasible:
        lines.append(
            f"no trial has the validation accuracy of {view.least_accuracy:.4f} that is asked for; "
            "the most accurate one is taken"
        )
    lines += [
        f"best settings: {study_view.told(view.best.values)}",
        f"test accuracy: {best.metrics['test_accuracy']:.4f}, "
        f"{best.metrics['bytes']['dwtz']:,} bytes",
        f"its run: {folder / BEST}",
        f"all trials: {folder / 'trials.csv'}; tensorboard --logdir {folder / trials.FOLDER}",
    ]
    return "\n".join(lines)
