"""The datasets, checked and split, and their way into training.

Importing this module loads NumPy alone: an error in the data is reported without waiting for
TensorFlow, wherever reading them does not need it.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dwt_keras import checks
from dwt_keras.settings import DataSettings, sources
from dwt_keras.training import array_data, imported
from dwt_keras.training.data_files import (
    DataError,
    RawParts,
    of_mapping,
    read_folder,
    read_npz,
)
from dwt_keras.training.parts import ArrayPart, Part
from dwt_keras.training.pipelines import pipeline

__all__ = ["ArrayPart", "DataError", "Dataset", "Part", "digest", "load", "pipeline", "record"]

_CLASSES = {"digits": 10, "mnist": 10, "fashion_mnist": 10, "cifar10": 10, "cifar100": 100}
_DIGITS_TEST_FRACTION = 0.2

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three parts of inputs and labels.

    Inputs are float32: images within 0 and 1, of shape (samples, height, width, channels), signals
    of shape (samples, time, channels), or rows of features. Labels are int32, from 0 to
    `classes` - 1.

    Attributes:
        name: What the settings call it.
        classes: How many classes there are.
        train: What a network learns from.
        validation: What decides while it does.
        test: What only reports.
        class_names: A name for each class, where the data have some.
    """

    name: str
    classes: int
    train: Part
    validation: Part
    test: Part
    class_names: tuple[str, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.train.input_shape


# Several trainings of one run ask for the same.
@functools.lru_cache(maxsize=1)
def digest(dataset: Dataset) -> str:
    """What tells a dataset from others, its order and its division into parts included."""
    found = hashlib.blake2b(str(dataset.classes).encode(), digest_size=16)
    for part in (dataset.train, dataset.validation, dataset.test):
        for piece in part.fingerprint():
            found.update(piece)
    return found.hexdigest()


def record(dataset: Dataset) -> dict[str, Any]:
    """What settings.json says of the data."""
    names = {"class_names": dataset.class_names} if dataset.class_names else {}
    return {**names, "data": digest(dataset)}


def load(settings: DataSettings) -> Dataset:
    """Loads a dataset; the same settings give the same split every time.

    Raises:
        DataError: If files are missing, damaged or not what they should be.
        ArgumentError: If a setting does not go with the dataset.
    """
    if settings.data_dir == "":
        raise checks.ArgumentError("data_dir", "must name a folder; given an empty one")
    kind = sources.dataset_kind(settings.dataset)
    if kind == sources.FOLDER:
        from dwt_keras.training import image_folder

        classes, class_names, parts = image_folder.load(settings)
        return Dataset(settings.dataset, classes, *parts, class_names)
    if kind == sources.TFDS:
        from dwt_keras.training import tfds_data

        classes, class_names, streams = tfds_data.load(settings)
        return Dataset(settings.dataset, classes, *streams, class_names)
    if kind == sources.NPZ:
        raw = read_npz(Path(settings.dataset))
    elif kind == sources.FUNCTION:
        raw = _called(settings.dataset)
    else:
        raw = _built_in(settings)
    if kind:
        count, arrays = array_data.split_off(raw, settings, None, settings.input_kind)
    else:
        count, arrays = array_data.split_off(raw, settings, _CLASSES[settings.dataset])
    return Dataset(settings.dataset, count, *arrays)


def _built_in(settings: DataSettings) -> RawParts:
    if settings.dataset != "digits":
        if settings.data_dir is None:
            return _download(settings.dataset)
        return read_folder(Path(settings.data_dir), settings.dataset)
    if settings.data_dir is None:
        return _digits()
    raise checks.ArgumentError(
        "data_dir",
        "must not be given beside dataset=digits, which comes with scikit-learn; "
        f"given {settings.data_dir!r}",
    )


def _digits() -> RawParts:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = digits.images / 16  # Pixels count from 0 to 16.
    train_images, test_images, train_labels, test_labels = train_test_split(
        images,
        digits.target,
        test_size=_DIGITS_TEST_FRACTION,
        stratify=digits.target,
        random_state=array_data.SPLIT_SEED,
    )
    return _named("digits", train_images, train_labels, test_images, test_labels)


def _download(dataset: str) -> RawParts:
    import keras

    try:
        (train_images, train_labels), (test_images, test_labels) = getattr(
            keras.datasets, dataset
        ).load_data()
    except Exception as error:  # Keras raises a bare Exception where there is no network.
        raise DataError(
            dataset,
            f"could not be downloaded by keras.datasets ({error}); if you have its files, give "
            "their folder as --data_dir",
        ) from error
    return _named(dataset, train_images, train_labels, test_images, test_labels)


def _called(name: str) -> RawParts:
    """What a function of the user's own returns."""
    found = imported.call("dataset", name)
    if isinstance(found, dict):
        return of_mapping(found, name)
    try:
        (train_images, train_labels), (test_images, test_labels) = found
    except (TypeError, ValueError):
        raise DataError(
            name,
            "must return a dict of x_train, y_train, x_test, y_test, or ((x_train, y_train), "
            f"(x_test, y_test)); returned {type(found).__name__}",
        ) from None
    return _named(name, train_images, train_labels, test_images, test_labels)


def _named(file: str, *arrays: Any) -> RawParts:
    keys = ("x_train", "y_train", "x_test", "y_test")
    return of_mapping(dict(zip(keys, arrays, strict=True)), file)
