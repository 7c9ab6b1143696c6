"""The datasets as arrays, checked and split, and their way into training.

Importing this module loads NumPy alone: an error in the data is reported without waiting for
TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dwt_keras import checks
from dwt_keras.settings import DataSettings
from dwt_keras.training.data_files import DataError, RawArray, RawParts, read_folder

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["DataError", "Dataset", "load", "pipeline"]

_CLASSES = {"digits": 10, "mnist": 10, "fashion_mnist": 10, "cifar10": 10, "cifar100": 100}
_DIGITS_TEST_FRACTION = 0.2
_DIGITS_SPLIT_SEED = 0  # Not the run's seed: all runs report on the same test part.
_MOST_CHANNELS = 4

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three parts of images and labels.

    Images are float32 within 0 and 1, of shape (samples, height, width, channels); labels are
    int32, from 0 to `classes` - 1.
    """

    name: str
    classes: int
    train_images: Array
    train_labels: Array
    validation_images: Array
    validation_labels: Array
    test_images: Array
    test_labels: Array

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return tuple(self.train_images.shape[1:])


def load(settings: DataSettings) -> Dataset:
    """Loads a dataset; the same settings give the same split every time.

    Raises:
        DataError: If files are missing, damaged or not what they should be.
        ArgumentError: If a setting does not go with the dataset.
    """
    if settings.data_dir == "":
        raise checks.ArgumentError("data_dir", "must name a folder; given an empty one")
    if settings.dataset != "digits":
        if settings.data_dir is None:
            parts = _download(settings.dataset)
        else:
            parts = read_folder(Path(settings.data_dir), settings.dataset)
    elif settings.data_dir is None:
        parts = _digits()
    else:
        raise checks.ArgumentError(
            "data_dir",
            "must not be given beside dataset=digits, which comes with scikit-learn; "
            f"given {settings.data_dir!r}",
        )
    classes = _CLASSES[settings.dataset]
    images, labels = _checked(parts.train_images, parts.train_labels, classes)
    test_images, test_labels = _checked(parts.test_images, parts.test_labels, classes)
    if images.shape[1:] != test_images.shape[1:]:
        raise parts.test_images.error(
            f"must have the shape of the training images, {images.shape[1:]}; "
            f"has {test_images.shape[1:]}"
        )
    split = len(images) - _validation_count(len(images), settings.validation_fraction)
    return Dataset(
        name=settings.dataset,
        classes=classes,
        train_images=images[:split],
        train_labels=labels[:split],
        validation_images=images[split:],
        validation_labels=labels[split:],
        test_images=test_images,
        test_labels=test_labels,
    )


def pipeline(
    images: Array, labels: Array, batch_size: int, *, shuffle_seed: int | None
) -> tf.data.Dataset:
    """Batches of (images, labels), all samples once per iteration, the last batch maybe smaller.

    Args:
        images: One sample per row.
        labels: As many rows.
        batch_size: Samples per batch.
        shuffle_seed: Seed of the order, together with TensorFlow's global seed; the order
            changes with each iteration over the result. None keeps the order given.
    """
    import tensorflow as tf

    samples = tf.data.Dataset.from_tensor_slices((images, labels))
    if shuffle_seed is not None:
        # Shuffling indices and gathering whole batches was measured no faster.
        samples = samples.shuffle(len(images), seed=shuffle_seed, reshuffle_each_iteration=True)
    return samples.batch(batch_size).prefetch(tf.data.AUTOTUNE)


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
        random_state=_DIGITS_SPLIT_SEED,
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


def _named(file: str, *arrays: Array) -> RawParts:
    keys = ("x_train", "y_train", "x_test", "y_test")
    return RawParts(*(RawArray(array, file, key) for key, array in zip(keys, arrays, strict=True)))


def _checked(images: RawArray, labels: RawArray, classes: int) -> tuple[Array, Array]:
    pixels, numbers = _pixels(images), _numbers(labels, classes)
    if len(pixels) != len(numbers):
        of = images.name if images.file == labels.file else Path(images.file).name
        raise labels.error(
            f"must be as many as the {len(pixels)} images of {of}; are {len(numbers)}"
        )
    return pixels, numbers


def _pixels(images: RawArray) -> Array:
    values = images.values
    if values.ndim == 3:
        values = values[..., np.newaxis]
    if values.ndim != 4 or values.shape[3] > _MOST_CHANNELS:
        raise images.error(
            "must have the shape (samples, height, width) or (samples, height, width, channels), "
            f"with {_MOST_CHANNELS} channels at most; has {images.values.shape}"
        )
    if not values.size:
        raise images.error(f"must not be empty; has the shape {images.values.shape}")
    if values.dtype == np.uint8:
        scaled: Array = np.divide(values, np.float32(255), dtype=np.float32)
        return scaled
    if values.dtype.kind != "f":
        raise images.error(f"must be uint8, or float within 0 and 1; is {values.dtype}")
    if not np.isfinite(values).all():
        raise images.error("must be finite; has pixels that are NaN or infinite")
    if values.min() < 0 or values.max() > 1:
        raise images.error(
            "must lie within 0 and 1 where pixels are float; "
            f"lies within {values.min():g} and {values.max():g}"
        )
    return values.astype(np.float32)


def _numbers(labels: RawArray, classes: int) -> Array:
    values = labels.values
    if values.shape[1:] not in ((), (1,)) or not values.ndim:  # CIFAR's labels are a column.
        raise labels.error(f"must have the shape (samples,); has {values.shape}")
    if not values.size:
        raise labels.error(f"must not be empty; has the shape {values.shape}")
    if values.dtype.kind not in "iu":
        raise labels.error(f"must be whole numbers; is {values.dtype}")
    if values.min() < 0 or values.max() >= classes:
        raise labels.error(
            f"must lie within 0 and {classes - 1}; lies within {values.min()} and {values.max()}"
        )
    return values.reshape(-1).astype(np.int32)


def _validation_count(samples: int, fraction: float) -> int:
    count = round(samples * fraction)
    if not 1 <= count < samples:
        raise checks.ArgumentError(
            "validation_fraction",
            "must leave at least one sample each for training and validation; "
            f"given {fraction:g}, which sets {count} of {samples} aside",
        )
    return count
