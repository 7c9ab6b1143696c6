"""The digits, what is set aside to validate, and how batches come."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from small_files import arrays, assert_types, load, write_idx

from dwt_keras import checks
from dwt_keras.settings import DataSettings
from dwt_keras.training import data, parts


class TestDigits:
    def test_parts(self) -> None:
        loaded = data.load(DataSettings())
        assert (loaded.name, loaded.classes, loaded.input_shape) == ("digits", 10, (8, 8, 1))
        # 1797 samples, of which 360 test; 10 % of the other 1437 validate.
        parts = (loaded.train.labels, loaded.validation.labels, loaded.test.labels)
        assert [len(part) for part in parts] == [1293, 144, 360]
        assert (loaded.train.samples().min(), loaded.train.samples().max()) == (0, 1)
        assert_types(loaded)

    def test_test_part_is_stratified(self) -> None:
        from sklearn.datasets import load_digits

        share = np.bincount(load_digits().target) * 360 / 1797
        counts = np.bincount(data.load(DataSettings()).test.labels)
        assert np.abs(counts - share).max() < 1

    def test_split_is_always_the_same(self) -> None:
        np.random.seed(1)
        first = data.load(DataSettings())
        np.random.seed(2)
        second = data.load(DataSettings(validation_fraction=0.5))
        np.testing.assert_array_equal(first.test.samples(), second.test.samples())
        np.testing.assert_array_equal(first.test.labels, second.test.labels)
        both = [
            np.concatenate([loaded.train.samples(), loaded.validation.samples()])
            for loaded in (first, second)
        ]
        np.testing.assert_array_equal(*both)


class TestValidation:
    @pytest.mark.parametrize(
        ("fraction", "count"), [(0.1, 2), (0.03, 1), (0.5, 10), (0.62, 12), (0.97, 19)]
    )
    def test_takes_the_last_samples(self, tmp_path: Path, fraction: float, count: int) -> None:
        write_idx(tmp_path)
        loaded = load(tmp_path, validation_fraction=fraction)
        labels = arrays()["y_train"]
        np.testing.assert_array_equal(loaded.train.labels, labels[:-count])
        np.testing.assert_array_equal(loaded.validation.labels, labels[-count:])
        assert (len(loaded.train.samples()), len(loaded.validation.samples())) == (
            20 - count,
            count,
        )

    @pytest.mark.parametrize(("fraction", "count"), [(0.02, 0), (0.98, 20)])
    def test_leaves_no_part_empty(self, tmp_path: Path, fraction: float, count: int) -> None:
        write_idx(tmp_path)
        message = f"^validation_fraction must leave .*; given {fraction}, which sets {count} of 20"
        with pytest.raises(checks.ArgumentError, match=message):
            load(tmp_path, validation_fraction=fraction)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class TestPipeline:
    images = np.arange(50, dtype=np.float32).reshape(50, 1, 1, 1) * np.ones((1, 2, 2, 1), "f4")
    labels = np.arange(50, dtype=np.int32)

    def epochs(self, seed: int | None, count: int = 3) -> list[list[int]]:
        """The labels' order in each epoch, checked against the images."""
        batches = data.pipeline(self.images, self.labels, 8, shuffle_seed=seed)
        orders = []
        for _ in range(count):
            pairs = [(images.numpy(), labels.numpy()) for images, labels in batches]
            for images, labels in pairs:
                np.testing.assert_array_equal(images, self.images[labels])
            orders.append(np.concatenate([labels for _, labels in pairs]).tolist())
        return orders

    def test_every_sample_once_an_epoch(self) -> None:
        for order in self.epochs(seed=0):
            assert sorted(order) == list(range(50))

    def test_order_changes_with_the_epoch(self) -> None:
        first, second, third = self.epochs(seed=0)
        assert first != list(range(50))
        assert first != second != third != first

    @pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
    def test_same_seed_same_orders(self, seed: int) -> None:
        assert self.epochs(seed) == self.epochs(seed)

    def test_other_seed_other_orders(self) -> None:
        assert self.epochs(0)[0] != self.epochs(1)[0]

    def test_orders_are_those_of_shuffled_samples(self) -> None:
        """A run that was begun before shuffling went over to indices goes on as it would have."""
        tf.random.set_seed(5)
        shuffled = tf.data.Dataset.from_tensor_slices(self.labels).shuffle(
            50, seed=3, reshuffle_each_iteration=True
        )
        assert self.epochs(3, count=2) == [list(shuffled.as_numpy_iterator()) for _ in range(2)]

    @pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
    def test_pipelines_of_a_part_share_its_data(self) -> None:
        part = parts.ArrayPart(np.ones((50_000, 500), "f4"), np.zeros(50_000, "i4"))
        next(iter(part.batches(10, shuffle_seed=0)))
        before = resident_bytes()
        iterators = [iter(part.batches(10, shuffle_seed=seed)) for seed in range(3)]
        assert [len(next(each)[0]) for each in iterators] == [10] * 3
        assert resident_bytes() - before < part.inputs.nbytes

    def test_without_seed_the_order_given(self) -> None:
        assert self.epochs(None) == [list(range(50))] * 3

    def test_shuffles_over_the_whole_data(self) -> None:
        """A short buffer would keep the first samples in the first batches."""
        images = np.zeros((20000, 1, 1, 1), np.float32)
        batches = data.pipeline(images, np.arange(20000, dtype="i4"), 1000, shuffle_seed=3)
        _, labels = next(iter(batches))
        assert abs(labels.numpy().mean() - 10000) < 1000

    @pytest.mark.parametrize("seed", [None, 0])
    def test_knows_its_cardinality_and_shapes(self, seed: int | None) -> None:
        batches = data.pipeline(self.images, self.labels, 8, shuffle_seed=seed)
        assert int(batches.cardinality()) == 7
        images, labels = batches.element_spec
        assert images.shape.as_list() == [None, 2, 2, 1]
        assert labels.shape.as_list() == [None]
        assert (images.dtype.name, labels.dtype.name) == ("float32", "int32")
        assert [len(labels) for _, labels in batches] == [8] * 6 + [2]
