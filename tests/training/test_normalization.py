"""The layer that brings inputs to mean 0 and variance 1."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from dwt_keras import DWTCompression, load_compressed, save_compressed
from dwt_keras.compression import folding
from dwt_keras.settings import Settings
from dwt_keras.training import data, fitting, normalization
from dwt_keras.training.parts import ArrayPart


def part(inputs: np.ndarray) -> ArrayPart:
    return ArrayPart(inputs.astype(np.float32), np.arange(len(inputs), dtype=np.int32) % 2)


def dataset(inputs: np.ndarray) -> data.Dataset:
    return data.Dataset("mine", 2, part(inputs), part(inputs[:8]), part(inputs[:8]))


def build(given: data.Dataset, **settings: object) -> keras.Model:
    return fitting.build(Settings.from_flat({"hidden_units": (4,), **settings}), given)


@pytest.mark.parametrize("shape", [(5,), (9, 3), (6, 5, 2)])
def test_the_network_sees_mean_0_and_variance_1(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(2500, *shape)) * np.geomspace(1e-3, 1e4, shape[-1]) + 300
    given = dataset(inputs)
    plain, model = build(given), build(given, normalize="standard")
    assert model.input_shape == (None, *shape)
    seen = keras.Model(model.inputs[0], model.get_layer("normalization").output)(
        given.train.samples()
    )
    rows = np.asarray(seen, np.float64).reshape(-1, shape[-1])
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=2e-2)
    np.testing.assert_allclose(rows.std(axis=0), 1, atol=2e-2)
    # The same network behind it.
    for one, other in zip(plain.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_never_changes_is_not_divided_by_nothing() -> None:
    inputs = np.random.default_rng(0).normal(size=(40, 3))
    inputs[:, 1] = 1234.5
    mean, variance = normalization._statistics(part(inputs))
    assert variance[1] == 1
    np.testing.assert_allclose(mean, inputs.astype(np.float32).mean(axis=0), atol=1e-4)


def test_files_keep_it(tmp_path: Path) -> None:
    given = dataset(np.random.default_rng(0).normal(50, 20, (60, 8, 8, 1)))
    model = build(given, normalize="standard")
    samples = given.train.samples(5)
    expected = model.predict(samples, verbose=0)
    model.save(tmp_path / "a.keras")
    save_compressed(model, tmp_path / "a.dwtz", distortion=1e-7)
    for loaded in (
        keras.models.load_model(tmp_path / "a.keras", compile=False),
        load_compressed(tmp_path / "a.dwtz"),
    ):
        np.testing.assert_allclose(loaded.predict(samples, verbose=0), expected, atol=1e-3)


def test_geometry_and_rows_are_found_through_it() -> None:
    """The network that computes on few coefficients of what is scaled answers the same."""
    given = dataset(np.random.default_rng(0).normal(50, 20, (64, 8, 8, 1)))
    model = build(given, normalize="standard")
    compression = DWTCompression("haar", level=2, keep_rows=0.25, samples=given.train.samples())
    batches = given.train.batches(16, shuffle_seed=0)
    model.fit(batches, callbacks=[compression], shuffle=False, verbose=0)
    assert str(compression.targets[0].basis) == "haar 2 over 8x8"
    fast = folding.fold(model, compression.targets)
    samples = given.test.samples()
    np.testing.assert_allclose(
        fast.predict(samples, verbose=0), model.predict(samples, verbose=0), atol=1e-4
    )
