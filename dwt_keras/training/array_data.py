"""Arrays as they come from files and functions: checked, brought to one form, split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dwt_keras import checks
from dwt_keras.settings import data as kinds
from dwt_keras.settings.data import DataSettings
from dwt_keras.training.data_files import RawArray, RawParts
from dwt_keras.training.parts import ArrayPart
from dwt_keras.training.sampling import systematic

Array = np.ndarray[Any, Any]

_MOST_CHANNELS = 4
# An array of three axes is read as signals (samples, time, channels) where the last is as short as
# this, and else as images: as the geometry of a network's input is.
_MOST_SIGNAL_CHANNELS = 4
# Not the run's seed: all runs are judged by the same samples.
SPLIT_SEED = 0


def split_off(
    raw: RawParts, settings: DataSettings, classes: int | None, kind: str = kinds.IMAGES
) -> tuple[int, tuple[ArrayPart, ArrayPart, ArrayPart]]:
    """Checks arrays and sets the validation part aside.

    Args:
        raw: What was read.
        settings: Say how many samples validate, where there is no such part.
        classes: How many there are, of a built-in dataset, whose last samples validate; None to
            take it from the labels, and to draw the validation part evenly from all classes.
        kind: images, signals, tabular or auto.

    Returns:
        Number of classes; training, validation and test part.

    Raises:
        DataError: On arrays that are not what they should be.
        ArgumentError: If the validation part would be empty, or all there is.
    """
    if kind == kinds.AUTO:
        kind = _kind(raw.train_images.values)
    own = classes is None
    found = class_count(raw.train_labels) if classes is None else classes
    train = _checked(raw.train_images, raw.train_labels, found, kind)
    test = _checked(raw.test_images, raw.test_labels, found, kind)
    _same_shape(train, test, raw.test_images)
    if raw.validation_images is not None and raw.validation_labels is not None:
        validation = _checked(raw.validation_images, raw.validation_labels, found, kind)
        _same_shape(train, validation, raw.validation_images)
        return found, (train, validation, test)
    count = validation_count(len(train), settings.validation_fraction)
    if own:
        kept, drawn = systematic(train.labels, count, SPLIT_SEED)
        parts = [ArrayPart(train.inputs[at], train.labels[at]) for at in (kept, drawn)]
    else:
        ends = (slice(None, len(train) - count), slice(len(train) - count, None))
        parts = [ArrayPart(train.inputs[at], train.labels[at]) for at in ends]
    return found, (parts[0], parts[1], test)


def class_count(labels: RawArray) -> int:
    """How many classes there are, by the labels of the training part.

    Raises:
        DataError: If they are none, or leave one out.
    """
    present = np.unique(_whole_numbers(labels))
    if present[0] < 0 or len(present) < 2 or present[-1] != len(present) - 1:
        lacking = next((n for n in range(len(present)) if present[n] != n), len(present))
        raise labels.error(
            "must be the numbers of two classes or more, from 0 on, each of which has samples; "
            f"lie within {present[0]} and {present[-1]}, without {lacking}"
        )
    return len(present)


def validation_count(samples: int, fraction: float, name: str = "validation_fraction") -> int:
    """How many of the samples a fraction sets aside.

    Raises:
        ArgumentError: If it is none, or all.
    """
    count = round(samples * fraction)
    if not 1 <= count < samples:
        part = name.partition("_")[0]
        raise checks.ArgumentError(
            name,
            f"must leave at least one sample each for training and {part}; "
            f"given {fraction:g}, which sets {count} of {samples} aside",
        )
    return count


def _kind(values: Array) -> str:
    if values.ndim == 2:
        return kinds.TABULAR
    if values.ndim == 3 and values.shape[2] <= _MOST_SIGNAL_CHANNELS:
        return kinds.SIGNALS
    return kinds.IMAGES


def _same_shape(train: ArrayPart, other: ArrayPart, raw: RawArray) -> None:
    if train.input_shape != other.input_shape:
        what = "images" if len(train.input_shape) == 3 else "inputs"
        raise raw.error(
            f"must have the shape of the training {what}, {train.input_shape}; "
            f"has {other.input_shape}"
        )


def _checked(images: RawArray, labels: RawArray, classes: int, kind: str) -> ArrayPart:
    inputs = _pixels(images) if kind == kinds.IMAGES else _measured(images, kind)
    numbers = _numbers(labels, classes)
    if len(inputs) != len(numbers):
        of = images.name if images.file == labels.file else Path(images.file).name
        what = "images" if kind == kinds.IMAGES else "inputs"
        raise labels.error(
            f"must be as many as the {len(inputs)} {what} of {of}; are {len(numbers)}"
        )
    return ArrayPart(inputs, numbers)


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


def _measured(inputs: RawArray, kind: str) -> Array:
    """Signals with a channel axis, or rows of features, as float32."""
    values = inputs.values
    is_signal = kind == kinds.SIGNALS
    if values.ndim != 2 and not (is_signal and values.ndim == 3):
        shapes = "(samples, features)"
        if is_signal:
            shapes = "(samples, time) or (samples, time, channels)"
        raise inputs.error(f"must have the shape {shapes} to be {kind}; has {values.shape}")
    if not values.size:
        raise inputs.error(f"must not be empty; has the shape {values.shape}")
    if values.dtype.kind not in "fiu":
        raise inputs.error(f"must be numbers; is {values.dtype}")
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    if not np.isfinite(found).all():
        where = tuple(int(at[0]) for at in np.nonzero(~np.isfinite(found)))
        raise inputs.error(
            f"must be finite, and within float32; has {values[where]} at {list(where)}"
        )
    return found[..., np.newaxis] if is_signal and found.ndim == 2 else found


def _numbers(labels: RawArray, classes: int) -> Array:
    values = _whole_numbers(labels)
    if values.min() < 0 or values.max() >= classes:
        raise labels.error(
            f"must lie within 0 and {classes - 1}; lies within {values.min()} and {values.max()}"
        )
    return values.reshape(-1).astype(np.int32)


def _whole_numbers(labels: RawArray) -> Array:
    values = labels.values
    if values.shape[1:] not in ((), (1,)) or not values.ndim:  # CIFAR's labels are a column.
        raise labels.error(f"must have the shape (samples,); has {values.shape}")
    if not values.size:
        raise labels.error(f"must not be empty; has the shape {values.shape}")
    if values.dtype.kind not in "iu":
        raise labels.error(f"must be whole numbers; is {values.dtype}")
    return values
