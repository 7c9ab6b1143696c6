"""Where runs go: one numbered folder each, named after what sets the run apart."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dwt_keras import checks
from dwt_keras.settings import CompressionSettings, Settings, sources, structure
from dwt_keras.settings.budget import BYTES
from dwt_keras.settings.studies import NO_STUDY, StudySettings

# The folder within a run's that it needs until it is complete.
CHECKPOINT = "checkpoint"
# The file that a study's folder gets last of all.
STUDY = "study.json"
# The one that a run's gets last of all.
METRICS = "metrics.json"
# Rules whose name says no more than what stands in the threshold's place.
_NAMED = ("absolute", BYTES, structure.RULE)


def group_folder(settings: Settings, study: StudySettings = NO_STUDY) -> Path:
    """The folder that collects the runs with these parameters, relative to nothing but save_dir.

    Args:
        settings: The run's.
        study: Those of a study, if it is one.

    Returns:
        `<save_dir>/<dataset>-<model>/<wavelet>-level<L>-threshold<T>[-<rule>][-<mode>][-<axes>]`
        `-batch<B>-epochs<E>`, the bracketed parts where they are not the default; with a target
        `bytes<N>` in the place of the threshold. Of studies `<save_dir>/<dataset>-<model>/studies`.
    """
    compression, training = settings.compression, settings.training
    parts = [
        compression.wavelet,
        f"level{compression.level}",
        _threshold(compression),
        "" if compression.threshold_rule in _NAMED else compression.threshold_rule,
        "" if compression.threshold_mode == "hard" else compression.threshold_mode,
        "" if compression.axes == "auto" else compression.axes,
        f"batch{training.batch_size}",
        f"epochs{training.epochs}",
    ]
    names = map(sources.short_name, (settings.data.dataset, training.model))
    whole = Path(training.save_dir) / _slug("-".join(names))
    if study.is_wanted:
        return whole / "studies"
    return whole / _slug("-".join(part for part in parts if part))


def _threshold(compression: CompressionSettings) -> str:
    if compression.target_bytes is not None:
        return f"bytes{compression.target_bytes}"
    what = compression.structure if compression.is_structured else ""
    if compression.max_accuracy_drop is not None:
        return f"{what}drop{compression.max_accuracy_drop:g}"
    if compression.is_structured:
        return f"{what}{getattr(compression, f'keep_{what}')}"
    return "thresholdauto" if compression.is_data_driven else f"threshold{compression.threshold:g}"


def create(settings: Settings, study: StudySettings = NO_STUDY) -> Path:
    """Makes the folder of a new run or study, with a number that no other run of the group has.

    Runs that start at the same moment get different numbers: a number belongs to whoever
    creates its hidden marker first, and the marker goes once the folder stands.

    Returns:
        The new folder, `<group>/<NNN>[-<run_name>]`.

    Raises:
        ArgumentError: If save_dir cannot be written.
    """
    group = group_folder(settings, study)
    name = settings.training.run_name
    suffix = f"-{_slug(name)}" if name else ""
    try:
        group.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            number = max([number, *(taken + 1 for taken in _numbers(group))])
            marker = group / f".{number:03d}"
            try:
                marker.touch(exist_ok=False)
            except FileExistsError:
                number += 1
                continue
            try:
                if number in _numbers(group):
                    continue
                folder = group / f"{number:03d}{suffix}"
                folder.mkdir()
                return folder
            finally:
                marker.unlink()
    except OSError as error:
        raise _unusable(settings.training.save_dir, error) from None


@dataclass(frozen=True)
class Record:
    """A finished run.

    Attributes:
        name: Its folder, below the one that was searched.
        settings: What it was told, by name.
        metrics: Its metrics.json.
    """

    name: str
    settings: dict[str, Any]
    metrics: dict[str, Any]


def find(folder: Path) -> tuple[list[Record], list[str]]:
    """Reads all finished runs below a folder, but for the trials of searches.

    Returns:
        The runs, and one line for each folder of one that cannot be read.
    """
    found, problems = [], []
    for place in _with_metrics(folder):
        try:
            metrics = _json(place / METRICS)
            settings = _json(place / "settings.json").get("settings", {})
            if "test_accuracy" not in metrics and "validation_accuracy" in metrics:
                continue  # A trial of a search, which trials.csv has.
            float(metrics["test_accuracy"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            problems.append(f"{place}: its metrics or settings cannot be read: {said}")
            continue
        name = place.relative_to(folder).as_posix()
        found.append(Record(place.name if name == "." else name, settings, metrics))
    return found, problems


def _with_metrics(folder: Path) -> list[Path]:
    """All folders below one that have metrics.json, in their order."""
    found = []
    # Others may write there meanwhile: what has gone since it was listed is passed over.
    for place, inner, names in os.walk(folder):
        # Hidden are those that train.py has not yet moved to their place.
        inner[:] = [name for name in inner if not name.startswith(".")]
        if METRICS in names:
            found.append(Path(place))
    return sorted(found)


def _json(path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return record


def check_save_dir(save_dir: str) -> None:
    """Tries whether runs can be written below a folder, which need not exist; leaves nothing.

    Raises:
        ArgumentError: If they cannot.
    """
    try:
        place = Path(save_dir).absolute()
        while not place.exists() and place != place.parent:
            place = place.parent
        os.rmdir(tempfile.mkdtemp(prefix=".dwt_keras.", dir=place))
    except OSError as error:
        raise _unusable(save_dir, error) from None


def _unusable(save_dir: str, error: OSError) -> checks.ArgumentError:
    return checks.ArgumentError(
        "save_dir", f"must be a folder that can be written; given {save_dir!r}: {error.strerror}"
    )


def _numbers(group: Path) -> set[int]:
    found = (re.match(r"\d{3,}(?=-|$)", entry.name) for entry in group.iterdir())
    return {int(match.group()) for match in found if match}


def _slug(text: str) -> str:
    """Text as a file name: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-") or "unnamed"
