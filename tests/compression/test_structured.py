"""The layer that computes some wavelet coefficients of its input."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.compression.structured import WaveletFeatures
from dwt_keras.wavelet import basis, features


@pytest.mark.parametrize(
    ("shape", "wavelet", "level", "axes"),
    [
        ((6, 5, 2), "haar", 2, (0, 1)),
        ((6, 5, 2), "bior4.4", 1, (0, 1)),
        ((40,), "sym4", 3, (0,)),
        ((4, 3, 5), "db2", 1, (0, 1, 2)),
        ((4, 3), "none", 0, ()),
    ],
)
def test_computes_the_coefficients_that_are_asked_for(shape, wavelet, level, axes):
    count = int(np.prod(shape))
    rows = np.random.default_rng(0).permutation(count)[: count // 2].tolist()
    layer = WaveletFeatures(shape, rows, wavelet, level, axes)
    x = np.random.default_rng(1).normal(size=(3, count)).astype("float32")
    expected = features.adjoint(basis.Basis(wavelet, level, axes, shape), x)[:, rows]
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    assert layer.compute_output_shape((None, count)) == (None, len(rows))
    assert layer.weights == []
    again = WaveletFeatures.from_config(layer.get_config())
    assert np.array_equal(again(x), layer(x))


def test_wavelet_packets_survive_the_configuration():
    layer = WaveletFeatures((8, 8), [0, 9, 60], "sym2", 2, (0, 1), ("", "ad"))
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    x = np.random.default_rng(1).normal(size=(3, 64)).astype("float32")
    assert np.array_equal(again(x), layer(x))
    assert again.plan.basis.splits == ("", "ad")


def test_counts_its_multiplications():
    assert WaveletFeatures((4, 3), [0, 5]).multiplications() == 0
    # One atom of 8 samples along each axis.
    assert WaveletFeatures((8, 8), [0], "haar", 3, (0, 1)).multiplications() == 64 + 8


def test_computes_in_the_precision_of_its_policy():
    layer = WaveletFeatures((4, 4), [0, 3], "haar", 1, (0, 1), dtype="mixed_float16")
    assert layer(np.ones((2, 16), "float32")).dtype == "float16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((4, 4), []), "rows must be one index or more, each once"),
        (((4, 4), [16]), "rows must lie within 0 and 15; given 16"),
        (((4, 4), [0], "haar", 0, (0,)), "level must be a whole number, 1 or more; given 0"),
        (((4, 4), [0], "haar", 1, (2,)), "axes must be different axes"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(checks.ArgumentError, match=message):
        WaveletFeatures(*arguments)
