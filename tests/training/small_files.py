"""Datasets of twenty samples to train on and six to test, as files, and what is read of them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from dwt_keras.settings import DataSettings
from dwt_keras.training import data

IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def arrays(**replaced: Any) -> dict[str, Any]:
    """Twenty training and six test samples of 5 x 4 pixels, some arrays replaced."""
    random = np.random.default_rng(0)
    made = {
        "x_train": random.integers(0, 256, (20, 5, 4)).astype(np.uint8),
        "y_train": (np.arange(20) % 10).astype(np.uint8),
        "x_test": random.integers(0, 256, (6, 5, 4)).astype(np.uint8),
        "y_test": (np.arange(6) % 10).astype(np.uint8),
    }
    return {**made, **replaced}


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape) + bytes(
        values.tobytes()
    )


def write_idx(folder: Path, made: dict[str, Any] | None = None) -> None:
    for key, values in (made or arrays()).items():
        (folder / IDX_NAMES[key]).write_bytes(idx(values))


def load(folder: Path, dataset: str = "mnist", **given: Any) -> data.Dataset:
    return data.load(DataSettings(dataset=dataset, data_dir=str(folder), **given))


def assert_parts(loaded: data.Dataset, made: dict[str, Any], scale: float = 255) -> None:
    """The training part less its last tenth, that tenth, and the test part, all normalised."""
    images = (made["x_train"] / scale).astype(np.float32).reshape(20, 5, 4, -1)
    labels = made["y_train"].reshape(-1)
    np.testing.assert_allclose(loaded.train.samples(), images[:18], rtol=1e-6)
    np.testing.assert_allclose(loaded.validation.samples(), images[18:], rtol=1e-6)
    np.testing.assert_allclose(
        loaded.test.samples(), (made["x_test"] / scale).reshape(6, 5, 4, -1), rtol=1e-6
    )
    np.testing.assert_array_equal(loaded.train.labels, labels[:18])
    np.testing.assert_array_equal(loaded.validation.labels, labels[18:])
    np.testing.assert_array_equal(loaded.test.labels, made["y_test"].reshape(-1))
    assert_types(loaded)


def assert_types(loaded: data.Dataset) -> None:
    for part in ("train", "validation", "test"):
        assert getattr(loaded, part).samples().dtype == np.float32
        assert getattr(loaded, part).labels.dtype == np.int32
