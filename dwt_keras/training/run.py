"""One training run: data, network, compression, evaluation, and the folder it leaves."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from dwt_keras import checks, files
from dwt_keras.compression import folding, shrink, targets
from dwt_keras.compression.callback import DWTCompression
from dwt_keras.settings import Settings
from dwt_keras.settings.budget import BYTES
from dwt_keras.settings.export import LITERT
from dwt_keras.training import (
    accuracy_drop,
    checkpoint,
    coding,
    data,
    distribution,
    export,
    fitting,
    interrupts,
    litert,
    metrics,
    numerics,
    resuming,
    scoring,
    starting_files,
    telling,
    versions,
)


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        folder: The run's folder.
        metrics: The content of its metrics.json; empty for a worker other than the chief, which
            leaves no folder.
        report: The last shrinking, kernel by kernel.
        targets: The kernels, with the bases that they had at the end.
    """

    folder: Path
    metrics: dict[str, Any]
    report: shrink.Report
    targets: tuple[targets.Target, ...]


@dataclasses.dataclass(frozen=True)
class OfStudy:
    """What a study says of one of its runs, beside settings and data.

    Attributes:
        folder: Where the run goes, or goes on, in the place of a new folder below save_dir.
        callbacks: Keras' callbacks that watch the training too, behind those of the run.
        is_trial: Whether the run only tells how good its settings are: it is scored on the
            validation part alone, and of its network leaves the compact file alone.
        begins_with: The file of the network that it begins with, in the place of `init`. It is no
            setting, as it is elsewhere once the study is: settings.json has its place from the
            run's folder.
    """

    folder: Path | None = None
    callbacks: Sequence[Any] = ()
    is_trial: bool = False
    begins_with: Path | None = None

    def told(self, settings: Settings) -> Settings:
        """The settings that the training goes by."""
        if self.begins_with is None:
            return settings
        transfer = dataclasses.replace(settings.transfer, init=str(self.begins_with))
        return dataclasses.replace(settings, transfer=transfer)


_BY_ITSELF = OfStudy()


def run(
    settings: Settings, dataset: data.Dataset | None = None, of_study: OfStudy = _BY_ITSELF
) -> Result:
    """Trains, compresses, evaluates and exports one network, or goes on where that was interrupted.

    Args:
        settings: What to do.
        dataset: The data, where they have been loaded already.
        of_study: What a study says besides, if it is one's.

    Returns:
        The result; its folder holds the same on disk.

    Raises:
        UserError: If the settings do not fit the data, the network or the disk (nothing has
            been written then), or if the training diverges.
        KeyboardInterrupt: If the user ends it; a note says how to go on.
    """
    distribution.start(settings)
    with numerics.determinism(settings.numerics):
        return _prepare_and_run(settings, dataset, of_study)


def _prepare_and_run(settings: Settings, dataset: data.Dataset | None, of_study: OfStudy) -> Result:
    if dataset is None:
        dataset = data.load(settings.data)
    told = of_study.told(settings)
    starting_files.check(told)
    searched = settings.compression.max_accuracy_drop is not None
    first, least = accuracy_drop.first_and_least(settings, dataset) if searched else (0, 0)
    # Raises where there is nothing to compress.
    wanted = accuracy_drop.with_target(settings, first) if searched else told
    prepared = fitting.prepare(wanted, dataset, say=telling.say)

    with resuming.folder_of(settings, of_study.folder) as folder:
        is_chief = distribution.worker(settings).is_chief
        with interrupts.resumable(resuming.command(folder) if is_chief else None):
            return _run(settings, dataset, prepared, folder, (first, least), of_study)


def _run(
    settings: Settings,
    dataset: data.Dataset,
    prepared: fitting.Prepared,
    folder: Path,
    sizes: tuple[int, int],
    of_study: OfStudy,
) -> Result:
    """Everything that a run leaves in its folder, which may have some of it already."""
    started = time.perf_counter()
    searched = settings.compression.max_accuracy_drop is not None
    resuming.check_data(folder, data.digest(dataset))
    _write_settings(folder, settings, dataset, prepared.kernels, of_study)
    callbacks = of_study.callbacks
    if searched:
        found = accuracy_drop.smallest(settings, dataset, folder, *sizes, callbacks)
    else:
        told = of_study.told(settings)
        found = accuracy_drop.Found(fitting.fit(prepared, told, dataset, folder, callbacks))
    model, compression = found.trained.model, found.trained.compression
    if not distribution.worker(settings).is_chief:
        report = compression.report or shrink.measure(compression.targets)
        return Result(folder, {}, report, compression.targets)

    coding_started = time.perf_counter()
    if settings.compression.threshold_rule == BYTES:
        coding.save_as_trained(model, folder / "model.dwtz", compression.targets)
    else:
        coding.save_within(
            model,
            folder / "model.dwtz",
            compression.targets,
            lambda: scoring.validation_accuracy(model, dataset),
            settings.coding.coding_accuracy_drop,
        )
    coding_seconds = time.perf_counter() - coding_started
    # From here on the model has the weights that the compact file decodes to.
    lite: dict[str, Any] = {}
    if of_study.is_trial:
        scores = scoring.validation_scores(model, dataset)
    else:
        scores = scoring.test_scores(model, dataset)
        export.save_keras(model, folder / "model.keras")
        fastest = _export(model, compression, settings, folder)
        lite = lite_files(fastest, dataset, folder) if settings.export.export == LITERT else {}
    if searched:
        accuracy_drop.judge(found.record, scoring.validation_accuracy(model, dataset), settings)

    _write_settings(folder, settings, dataset, compression.targets, of_study)
    content = metrics.of(
        "validation" if of_study.is_trial else "test",
        scores,
        {**metrics.sizes(model, folder), **lite.pop("bytes", {})},
        {
            "train": found.trained.seconds,
            "compress": compression.seconds + coding_seconds,
            "total": found.trained.seconds_before + time.perf_counter() - started,
        },
        found.trained.epochs,
        {**_zeros(compression), **found.record, **found.trained.record, **lite},
    )
    if not of_study.is_trial:
        fitting.show(found.trained, settings, dataset, folder, content)
    metrics.write(folder, content)
    checkpoint.remove(folder)
    report = compression.report or shrink.measure(compression.targets)
    return Result(folder, content, report, compression.targets)


def _export(
    model: keras.Model, compression: DWTCompression, settings: Settings, folder: Path
) -> keras.Model:
    """Writes the SavedModels; returns the fastest network."""
    export.save_serving(model, folder / "serving" / "1")
    if not settings.compression.is_structured:
        return model
    try:
        fast = folding.fold(model, compression.targets)
    except checks.UserError as error:
        telling.say(f"no serving_fast: {error}")
        return model
    export.save_serving(fast, folder / "serving_fast" / "1")
    return fast


def lite_files(model: keras.Model, dataset: data.Dataset, folder: Path) -> dict[str, Any]:
    """Writes LiteRT files; what metrics.json says of them. Without them a run is whole too."""
    found: dict[str, Any] = {}
    try:
        found["bytes"] = litert.save(model, folder, dataset.train)
        if litert.is_installed():
            found["litert_test_accuracy"] = litert.accuracies(folder, dataset.test)
    except checks.UserError as error:
        telling.say(f"LiteRT: {error}")
    return found


def _zeros(compression: DWTCompression) -> dict[str, Any]:
    """Zero fractions of what ships, recounted from the weights wherever that can be done."""
    found = compression.targets
    if not any(target.basis.is_frame for target in found):
        report: shrink.Report | None = shrink.measure(found)
        redundancy = {}
    else:
        # Zeros of a frame are zeros before synthesis: the weights alone do not show them.
        report = compression.report
        weights = [math.prod(target.basis.shape) for target in found]
        stored = sum(
            count * target.basis.redundancy for count, target in zip(weights, found, strict=True)
        )
        redundancy = {"redundancy": stored / sum(weights)}
    if report is None:
        return redundancy
    return {
        "zero_fraction": report.zero_fraction,
        "zero_fraction_by_layer": report.zero_fraction_by_layer,
        **redundancy,
    }


def _write_settings(
    folder: Path,
    settings: Settings,
    dataset: data.Dataset,
    found: Sequence[targets.Target],
    of_study: OfStudy,
) -> None:
    """Writes settings.json."""
    record: dict[str, Any] = {"settings": resuming.begun_by_itself(settings)}
    if of_study.begins_with is not None:
        place = Path(os.path.relpath(of_study.begins_with, folder))
        record["begins_with"] = place.as_posix()
    record |= {
        **data.record(dataset),
        "bases": {target.path: _basis_record(target) for target in found},
        "versions": versions.found(),
    }
    files.write_text(folder / "settings.json", json.dumps(record, indent=2) + "\n")


def _basis_record(target: targets.Target) -> dict[str, Any]:
    record = dataclasses.asdict(target.basis)
    if target.choice is not None:
        record["estimated_bytes"] = target.choice.cost
        record["runner_up"] = str(target.choice.runner_up)
        record["runner_up_estimated_bytes"] = target.choice.runner_up_cost
    return record
