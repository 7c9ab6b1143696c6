"""Which data a run learns from."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings import sources
from dwt_keras.settings.fields import setting, whole_numbers

DATASETS = ("digits", "mnist", "fashion_mnist", "cifar10", "cifar100")

AUTO = "auto"
IMAGES, SIGNALS, TABULAR = "images", "signals", "tabular"
INPUT_KINDS = (AUTO, IMAGES, SIGNALS, TABULAR)
GRAYSCALE, RGB = "grayscale", "rgb"
COLOR_MODES = (AUTO, GRAYSCALE, RGB)
STANDARD = "standard"
NORMALIZATIONS = ("none", STANDARD)
_TEST_FRACTION = 0.2


@dataclass(frozen=True)
class DataSettings:
    """Which data a run learns from.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    dataset: str = setting(
        "digits",
        "Data to train on. digits comes with scikit-learn; mnist, fashion_mnist, cifar10 and "
        "cifar100 are read from --data_dir or downloaded once by keras.datasets. Your own: "
        "FILE.npz with x_train, y_train, x_test, y_test and perhaps x_val, y_val; FOLDER/ with a "
        "folder of PNG and JPEG images for each class, or such in train/ and test/ (and val/); "
        "package.module:function, which returns these arrays as a dict or as "
        "((x_train, y_train), (x_test, y_test)); tfds:NAME of tensorflow_datasets.",
    )
    data_dir: str | None = setting(
        None,
        "Folder with the dataset's IDX files (.gz or not) or its .npz file; of tfds:NAME where "
        "tensorflow_datasets keeps its data.",
    )
    validation_fraction: float = setting(
        0.1,
        "Share of the training part set aside for validation, where the data have no such part: "
        "of the built-in datasets the last samples, else drawn evenly from all classes, always "
        "the same. The test part only reports. Raising it steadies what is decided by validation; "
        "lowering it leaves more to train on.",
    )
    test_fraction: float = setting(
        _TEST_FRACTION,
        "Share of a folder's images, or of tfds:NAME, that makes the test part where there is "
        "none, drawn evenly from all classes of a folder, always the same. Raising it steadies the "
        "reported accuracy; lowering it leaves more to train on.",
    )
    input_kind: str = setting(
        AUTO,
        "What one sample of your own arrays is: an image (height, width) or with up to 4 "
        "channels, bytes or floats within 0 and 1; a signal (time,) or (time, channels), or a row "
        "of features (tabular), any finite numbers. auto takes one axis as tabular, three as an "
        "image, two as a signal where the second has 4 lengths at most, else as an image.",
    )
    image_size: tuple[int, ...] | None = setting(
        None,
        "Pixels to resize the images of a folder or of tfds:NAME to: HEIGHTxWIDTH, or one number "
        "for squares. Needed where they differ in size. Raising it keeps more detail and costs "
        "time and memory.",
    )
    color_mode: str = setting(
        AUTO,
        "Channels of a folder's images: grayscale, rgb, or auto, which is grayscale where all of "
        "them are. Transparency is dropped.",
    )
    normalize: str = setting(
        "none",
        "standard lets the network subtract the training part's mean of each feature or channel "
        "and divide by its standard deviation, in a layer of its own: exported networks take the "
        "data as they are.",
    )

    def __post_init__(self) -> None:
        self._set("dataset", sources.dataset(self.dataset, DATASETS))
        if self.data_dir is not None:
            checks.text("data_dir", self.data_dir)
        if self.data_dir is not None:
            self._set("data_dir", os.path.expanduser(self.data_dir))
        checks.real("validation_fraction", self.validation_fraction, above=0.0, below=1.0)
        checks.real("test_fraction", self.test_fraction, above=0.0, below=1.0)
        checks.choice("input_kind", self.input_kind, INPUT_KINDS)
        if self.image_size is not None:
            self._set("image_size", _size(self.image_size))
        checks.choice("color_mode", self.color_mode, COLOR_MODES)
        checks.choice("normalize", self.normalize, NORMALIZATIONS)
        kind = sources.dataset_kind(self.dataset)
        if kind not in (sources.NPZ, sources.FUNCTION) and self.input_kind != AUTO:
            self._needs("input_kind", "an .npz file or a function", self.input_kind)
        if kind not in (sources.FOLDER, sources.TFDS) and self.image_size is not None:
            self._needs("image_size", "a folder or tfds:NAME", self.image_size)
        if kind not in (sources.FOLDER, sources.TFDS) and self.test_fraction != _TEST_FRACTION:
            self._needs("test_fraction", "a folder or tfds:NAME", self.test_fraction)
        if kind != sources.FOLDER and self.color_mode != AUTO:
            self._needs("color_mode", "a folder", self.color_mode)
        if kind not in ("", sources.TFDS) and self.data_dir is not None:
            raise checks.ArgumentError(
                "data_dir",
                f"must not be given beside dataset={self.dataset}, which says where the data are; "
                f"given {self.data_dir!r}",
            )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _needs(self, name: str, what: str, given: object) -> None:
        raise checks.ArgumentError(
            name, f"goes with {what} as the dataset, not with {self.dataset}; given {given!r}"
        )


def _size(value: object) -> tuple[int, ...]:
    """Height and width, from "HxW", a number, or a sequence of one or two."""
    parts: object = (value,) if isinstance(value, int) else value
    if isinstance(value, str):
        parts = value.lower().replace("x", ",")
    try:
        sizes = whole_numbers("image_size", parts)
    except checks.ArgumentError:
        sizes = ()
    if len(sizes) not in (1, 2):
        raise checks.ArgumentError(
            "image_size",
            f"must be HEIGHTxWIDTH or one number, in pixels, 1 or more; given {value!r}",
        )
    return sizes if len(sizes) == 2 else sizes * 2
