"""What the commands of `python -m dwt_keras` are told: one field per flag."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from dwt_keras import checks
from dwt_keras.settings import sources
from dwt_keras.settings.coding import DEFAULT_DISTORTION, CodingSettings
from dwt_keras.settings.compression import CompressionSettings
from dwt_keras.settings.data import AUTO, DATASETS, DataSettings
from dwt_keras.settings.fields import setting, whole_numbers

SORT_KEYS = ("folder", "accuracy", "bytes")

_KNOWN = ", ".join((*DATASETS, sources.NPZ, sources.FOLDER, sources.TFDS, sources.FUNCTION))
_DATASET = f"Data to evaluate on, prepared as train.py does: {_KNOWN}."
_INPUT_KIND = "What one sample of your own arrays is: images, signals, tabular or auto."
_IMAGE_SIZE = "Pixels to resize images of a folder to: HEIGHTxWIDTH, or one number for squares."
_COLOR_MODE = "Channels of a folder's images: grayscale, rgb or auto."
_TEST_FRACTION = "Share of a folder's images that makes the test part where there is none."
_DATA_DIR = "Folder with the dataset's IDX files (.gz or not) or its .npz file."
TRUSTED = "Lift the limits on what a small file may ask for; for files of your own."


def data_settings(settings: CompressSettings | EvaluateSettings) -> DataSettings | None:
    """Which data a command is told to measure on; None where it is told of none.

    Raises:
        ArgumentError: On what does not go.
    """
    if settings.dataset is None:
        if settings.data_dir is not None:
            raise checks.ArgumentError(
                "data_dir", f"needs a dataset; given {settings.data_dir!r} without one"
            )
        return None
    return DataSettings(
        dataset=settings.dataset,
        data_dir=settings.data_dir,
        test_fraction=settings.test_fraction,
        input_kind=settings.input_kind,
        image_size=settings.image_size,
        color_mode=settings.color_mode,
    )


def _set(settings: Any, name: str, value: Any) -> None:
    object.__setattr__(settings, name, value)


@dataclass(frozen=True)
class CompressSettings:
    """How `compress` makes a compact file of a trained network.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    wavelet: str = setting(
        "none",
        "Wavelet in whose coefficients the kernels are stored: any discrete name of PyWavelets, "
        "auto for each kernel's cheapest, or none. A network that was not trained with a wavelet "
        "seldom gains by one.",
    )
    level: int | str | None = setting(
        None, "Decomposition level, max, or auto (default: 1; auto where the wavelet is)."
    )
    axes: str = setting(
        "auto", "Axes to transform: auto takes those with geometry, matrix the kernels as matrices."
    )
    distortion: float | None = setting(
        None,
        "How far the kernels may move: squared differences over squares, summed over all "
        f"(default {DEFAULT_DISTORTION:g}, where nothing else is asked for). Raising it makes the "
        "file smaller and costs accuracy.",
    )
    max_bytes: int | None = setting(
        None, "Size of the whole file: the finest quantisation within it is taken."
    )
    coding_accuracy_drop: float | None = setting(
        None,
        "Validation accuracy that the file may cost, as a fraction: the smallest file within it is "
        "looked for. Needs a dataset, and is "
        f"{CodingSettings().coding_accuracy_drop:g} where only that is given.",
    )
    dataset: str | None = setting(None, _DATASET + " The test accuracy is shown before and after.")
    data_dir: str | None = setting(None, _DATA_DIR)
    input_kind: str = setting(AUTO, _INPUT_KIND)
    image_size: tuple[int, ...] | None = setting(None, _IMAGE_SIZE)
    color_mode: str = setting(AUTO, _COLOR_MODE)
    test_fraction: float = setting(DataSettings().test_fraction, _TEST_FRACTION)
    weights_only: bool = setting(
        False, "Leave the architecture out: the file is for readers who have the model."
    )

    def __post_init__(self) -> None:
        goals = ("distortion", "max_bytes", "coding_accuracy_drop")
        given = [name for name in goals if getattr(self, name) is not None]
        if len(given) > 1:
            raise checks.ArgumentError(
                given[1], f"must not be given beside {given[0]}: one of them says how small"
            )
        if self.distortion is not None:
            checks.real("distortion", self.distortion, above=0.0, below=1.0)
        if self.max_bytes is not None:
            checks.integer("max_bytes", self.max_bytes, least=1)
        data_settings(self)
        basis = CompressionSettings(wavelet=self.wavelet, level=self.level, axes=self.axes)
        if basis.is_frame:
            raise checks.ArgumentError(
                "wavelet", f"must be a discrete wavelet, auto or none; given {self.wavelet!r}"
            )
        if self.coding_accuracy_drop is not None:
            CodingSettings(self.coding_accuracy_drop)
            if self.dataset is None:
                raise checks.ArgumentError(
                    "coding_accuracy_drop", "needs a dataset to measure the accuracy on"
                )
        if not given and self.dataset is not None:
            _set(self, "coding_accuracy_drop", CodingSettings().coding_accuracy_drop)
        elif not given:
            _set(self, "distortion", DEFAULT_DISTORTION)


@dataclass(frozen=True)
class ExpandSettings:
    """How `expand` makes an ordinary network of a compact file."""

    model: str | None = setting(
        None, "A .keras file of the same architecture, for a compact file that has weights alone."
    )
    trusted: bool = setting(False, TRUSTED)


@dataclass(frozen=True)
class InspectSettings:
    """How `inspect` reads a compact file."""

    trusted: bool = setting(False, TRUSTED)


@dataclass(frozen=True)
class EvaluateSettings:
    """On what `evaluate` measures a network.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    dataset: str | None = setting(None, _DATASET)
    data_dir: str | None = setting(None, _DATA_DIR)
    input_kind: str = setting(AUTO, _INPUT_KIND)
    image_size: tuple[int, ...] | None = setting(None, _IMAGE_SIZE)
    color_mode: str = setting(AUTO, _COLOR_MODE)
    test_fraction: float = setting(DataSettings().test_fraction, _TEST_FRACTION)
    trusted: bool = setting(False, TRUSTED)

    def __post_init__(self) -> None:
        if self.dataset is None:
            raise checks.ArgumentError("dataset", f"must be given: one of {_KNOWN}")
        data_settings(self)


@dataclass(frozen=True)
class BenchmarkSettings:
    """How `benchmark` measures the networks of a run.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    batch_sizes: tuple[int, ...] = setting((1, 8, 32), "Samples in a batch, comma-separated.")
    seconds: float = setting(
        2.0, "How long each network is called with each batch size. Raising it steadies figures."
    )
    data_dir: str | None = setting(
        None, _DATA_DIR + " Needed where the run's own is not there any more."
    )

    def __post_init__(self) -> None:
        _set(self, "batch_sizes", whole_numbers("batch_sizes", self.batch_sizes))
        checks.real("seconds", self.seconds, above=0.0)
        if self.data_dir is not None:
            _set(self, "data_dir", os.path.expanduser(checks.text("data_dir", self.data_dir)))


@dataclass(frozen=True)
class ReportSettings:
    """How `report` makes pages.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    data_dir: str | None = setting(
        None, _DATA_DIR + " Needed where the run's own is not there any more."
    )

    def __post_init__(self) -> None:
        if self.data_dir is not None:
            _set(self, "data_dir", os.path.expanduser(checks.text("data_dir", self.data_dir)))


@dataclass(frozen=True)
class RunsSettings:
    """How `runs` lists runs.

    Raises:
        ArgumentError: If they cannot be sorted by that.
    """

    sort: str = setting(
        "folder",
        "Order of the runs: folder, accuracy (of the test part, the best first) or bytes (of "
        "model.dwtz, the smallest first).",
    )
    csv: bool = setting(False, "Print comma-separated values, one row a run, in place of a table.")

    def __post_init__(self) -> None:
        checks.choice("sort", self.sort, SORT_KEYS)
