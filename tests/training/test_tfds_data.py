"""Datasets of tensorflow_datasets, by a module that stands in for the package."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.settings import DataSettings
from dwt_keras.training import data

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(30) % 4


class _Builder:
    """What is used of a tfds builder: 20 training samples, perhaps 10 test samples."""

    def __init__(self, stored: tuple[int | None, ...], splits: dict[str, slice]) -> None:
        import tensorflow as tf

        self._splits = splits
        self.prepared = False
        decode = lambda content: tf.io.decode_png(content, channels=3)  # noqa: E731
        self.info = types.SimpleNamespace(
            supervised_keys=("image", "label"),
            splits={
                name: types.SimpleNamespace(num_examples=part.stop - part.start)
                for name, part in splits.items()
            },
            features={
                "image": types.SimpleNamespace(shape=stored, decode_example=decode),
                "label": types.SimpleNamespace(num_classes=4, names=list("abcd")),
            },
            full_name="fake/1.0.0",
        )

    def download_and_prepare(self) -> None:
        self.prepared = True

    def as_dataset(self, split: str, **options: Any) -> Any:
        import tensorflow as tf

        assert self.prepared
        assert options["as_supervised"] and not options["shuffle_files"]
        assert options["decoders"] == {"image": "undecoded"}
        name, _, cut = split.partition("[")
        part = self._splits[name]
        images, labels = IMAGES[part], LABELS[part]
        if cut:
            first, last = (int(each) if each else None for each in cut.rstrip("]").split(":"))
            images, labels = images[first:last], labels[first:last]
        encoded = [tf.io.encode_png(image).numpy() for image in images]
        return tf.data.Dataset.from_tensor_slices((encoded, labels))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(
        stored: tuple[int | None, ...] = (6, 5, 3), splits: dict[str, slice] | None = None
    ) -> None:
        found = splits or {"train": slice(0, 20), "test": slice(20, 30)}

        def builder(name: str, data_dir: str | None = None) -> _Builder:
            if name != "fake":
                raise ValueError(f"Dataset {name} not found.\nAvailable: fake")
            return _Builder(stored, found)

        module = types.ModuleType("tensorflow_datasets")
        module.builder = builder  # type: ignore[attr-defined]
        module.decode = types.SimpleNamespace(  # type: ignore[attr-defined]
            SkipDecoding=lambda: "undecoded"
        )
        monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)

    return install


def test_splits_come_as_they_are(install: Any) -> None:
    install()
    loaded = data.load(DataSettings(dataset="tfds:fake", validation_fraction=0.25))
    assert (loaded.classes, loaded.class_names) == (4, ("a", "b", "c", "d"))
    assert loaded.input_shape == (6, 5, 3)
    parts = (loaded.train, loaded.validation, loaded.test)
    for part, where in zip(parts, (slice(0, 15), slice(15, 20), slice(20, 30)), strict=True):
        np.testing.assert_allclose(part.samples(), IMAGES[where] / 255, rtol=1e-6)
        np.testing.assert_array_equal(part.labels, LABELS[where])
    inputs, labels = next(iter(loaded.train.batches(15, shuffle_seed=0)))
    assert labels.numpy().tolist() != LABELS[:15].tolist()
    for image, label in zip(inputs.numpy(), labels.numpy(), strict=True):
        place = int(np.argmin(np.abs(IMAGES[:15] / 255 - image).sum(axis=(1, 2, 3))))
        assert label == LABELS[place]


def test_a_test_part_is_cut_off_where_there_is_none(install: Any) -> None:
    install(splits={"train": slice(0, 30)})
    loaded = data.load(DataSettings(dataset="tfds:fake", test_fraction=0.2))
    assert [len(p) for p in (loaded.train, loaded.validation, loaded.test)] == [22, 2, 6]
    np.testing.assert_array_equal(loaded.test.labels, LABELS[24:])


def test_sizes_that_are_free_need_an_image_size(install: Any) -> None:
    install(stored=(None, None, 3))
    with pytest.raises(checks.ArgumentError, match=r"^image_size must be given for tfds:fake"):
        data.load(DataSettings(dataset="tfds:fake"))
    loaded = data.load(DataSettings(dataset="tfds:fake", image_size=4))
    assert loaded.train.samples().shape == (18, 4, 4, 3)


def test_an_unknown_dataset_is_one_line(install: Any) -> None:
    install()
    with pytest.raises(data.DataError, match=r"^tfds:other: cannot be had: Dataset other not f"):
        data.load(DataSettings(dataset="tfds:other"))


def test_without_the_package_one_line_tells_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(checks.ArgumentError, match=r"pip install tensorflow-datasets$"):
        data.load(DataSettings(dataset="tfds:mnist"))
