"""Datasets of tensorflow_datasets, read while the network trains.

The package is asked for only here: `pip install tensorflow-datasets`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dwt_keras import checks
from dwt_keras.settings import DataSettings, sources
from dwt_keras.training.array_data import validation_count
from dwt_keras.training.data_files import DataError
from dwt_keras.training.parts import StreamPart

if TYPE_CHECKING:
    import tensorflow as tf

# How many undecoded images are shuffled with one another: all of small datasets.
_MOST_SHUFFLED = 10_000
_TRAIN, _TEST, _VALIDATION = "train", "test", "validation"


def load(
    settings: DataSettings,
) -> tuple[int, tuple[str, ...], tuple[StreamPart, StreamPart, StreamPart]]:
    """Prepares a dataset of images and class labels, downloading it where that is possible.

    Splits that it does not have are the last samples of `train`.

    Returns:
        Number of classes, their names; training, validation and test part.

    Raises:
        ArgumentError: If the package is not installed, or a part would be empty.
        DataError: If there is no such dataset, or it is not one of images and classes.
    """
    tfds = _package(settings.dataset)
    name = sources.after_colon(settings.dataset)
    try:
        builder = tfds.builder(name, data_dir=settings.data_dir)
        builder.download_and_prepare()
        info = builder.info
    except Exception as error:  # Whatever its builders stumble over, without network say.
        raise DataError(settings.dataset, f"cannot be had: {checks.said(error)}") from error
    if set(getattr(info, "supervised_keys", None) or ()) != {"image", "label"}:
        raise DataError(settings.dataset, "must have images and labels as its supervised keys")
    if _TRAIN not in info.splits:
        raise DataError(
            settings.dataset, f"must have a split {_TRAIN}; has {', '.join(info.splits)}"
        )
    shape = _shape(info.features["image"].shape, settings)
    classes = int(info.features["label"].num_classes)
    class_names = tuple(map(str, getattr(info.features["label"], "names", None) or ()))
    streams = [
        _stream(tfds, builder, split, shape, settings.dataset)
        for split in _splits(info.splits, settings)
    ]
    return classes, class_names, (streams[0], streams[1], streams[2])


def _package(dataset: str) -> Any:
    try:
        import tensorflow_datasets
    except ImportError:
        raise checks.ArgumentError(
            "dataset",
            f"{dataset} needs the package tensorflow-datasets: pip install tensorflow-datasets",
        ) from None
    return tensorflow_datasets


def _splits(splits: Any, settings: DataSettings) -> tuple[str, str, str]:
    """The splits of training, validation and test, as tensorflow_datasets writes them."""
    end = int(splits[_TRAIN].num_examples)
    found = {}
    for split, name in ((_TEST, "test_fraction"), (_VALIDATION, "validation_fraction")):
        if split in splits:
            found[split] = split
            continue
        count = validation_count(end, getattr(settings, name), name)
        found[split] = f"{_TRAIN}[{end - count}:{end}]"
        end -= count
    return f"{_TRAIN}[:{end}]", found[_VALIDATION], found[_TEST]


def _shape(stored: tuple[int | None, ...], settings: DataSettings) -> tuple[int, ...]:
    height, width, channels = stored
    if settings.image_size is not None:
        height, width = settings.image_size
    if height is None or width is None:
        raise checks.ArgumentError(
            "image_size", f"must be given for {settings.dataset}, whose images differ in size"
        )
    return int(height), int(width), int(channels or 3)


def _stream(
    tfds: Any, builder: Any, split: str, shape: tuple[int, ...], dataset: str
) -> StreamPart:
    images = builder.info.features["image"]

    def open_undecoded() -> tf.data.Dataset:
        undecoded = {"image": tfds.decode.SkipDecoding()}
        return builder.as_dataset(
            split=split, as_supervised=True, shuffle_files=False, decoders=undecoded
        )

    def decode(content: Any, label: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        pixels = tf.cast(images.decode_example(content), tf.float32) / 255.0
        if tuple(images.shape[:2]) != shape[:2]:
            resized = tf.image.resize(pixels, shape[:2], antialias=True)
            pixels = tf.clip_by_value(resized, 0.0, 1.0)
        pixels.set_shape(shape)
        return pixels, tf.cast(label, tf.int32)

    numbers = (label for _, label in open_undecoded().as_numpy_iterator())
    labels = np.fromiter(numbers, np.int32)
    if not len(labels):
        raise DataError(dataset, f"must have samples in all parts; {split} has none")
    return StreamPart(
        labels=labels,
        input_shape=shape,
        elements=open_undecoded,
        decode=decode,
        shuffle_count=min(len(labels), _MOST_SHUFFLED),
        identity=f"{builder.info.full_name} {split} {shape}",
        explain=lambda: None,  # Its files are its own, and have checksums.
    )
