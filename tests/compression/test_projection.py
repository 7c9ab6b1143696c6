"""The transform in the graph against the transform in NumPy."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras.compression.projection import Projection
from dwt_keras.wavelet import basis

WAVELETS = ["haar", "db2", "sym8", "bior4.4", "dmey", "rbio3.1"]

# Shape, axes, level: even and odd lengths, length 1, one to three axes, channels between.
CASES = {
    "even": ((8, 6, 2), (0, 1), 1),
    "odd": ((7, 5, 3), (0, 1), 3),
    "even then odd": ((12, 10), (0, 1), 4),
    "power of two": ((16, 3), (0,), 4),
    "one axis of length 1": ((1, 6, 2), (0, 1), 2),
    "length 2": ((2, 2, 4), (0, 1), 1),
    "3 x 3": ((3, 3, 2, 2), (0, 1), 2),
    "three axes": ((4, 5, 6, 2), (0, 1, 2), 2),
    "channels first": ((3, 8, 4, 2), (1, 2), 2),
    "axes apart": ((6, 2, 7), (0, 2), 2),
    "unordered axes": ((6, 4, 2), (1, 0), 2),
    "long": ((300, 2), (0,), 3),
    "long behind": ((2, 300), (1,), 2),
    "unequal": ((2, 32), (0, 1), 4),
}
TOLERANCE = {"float32": 3e-6, "float64": 1e-13}


def masking(*arguments):
    """A projection that multiplies the coefficients by an array of ones and zeros."""
    projection = Projection(*arguments)
    return lambda kernel, mask: projection(
        kernel, lambda path, block: block * mask[projection.leaves[path]]
    )


def projected_by_numpy(kernel_basis, kernel, support):
    coefficients = kernel_basis.decompose(kernel) * support
    return kernel_basis.reconstruct(coefficients, kernel.shape, kernel.dtype)


def example(wavelet, shape, axes, level, dtype, seed=0):
    """A basis, a random kernel in its flattened shape, and a random support."""
    kernel_basis, _ = basis.build(wavelet, level, axes, shape)
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=(math.prod(shape[:-1]), shape[-1])).astype(dtype)
    return kernel_basis, kernel, rng.integers(0, 2, shape).astype(dtype)


def check(wavelet, shape, axes, level, dtype, wrap=lambda function: function):
    kernel_basis, kernel, support = example(wavelet, shape, axes, level, dtype)
    projection = wrap(masking(kernel_basis, kernel.shape, dtype))
    result = projection(tf.constant(kernel), tf.constant(support)).numpy()
    expected = projected_by_numpy(kernel_basis, kernel, support)
    assert result.dtype == expected.dtype
    scale = np.abs(kernel_basis.decompose(kernel)).max()
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE[dtype] * 4 * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("wavelet", WAVELETS)
def test_eager(wavelet, case, dtype):
    check(wavelet, *CASES[case], dtype)


@pytest.mark.parametrize(
    ("wavelet", "case"),
    [
        ("haar", "three axes"),
        ("db2", "even then odd"),
        ("sym8", "long"),
        ("bior4.4", "odd"),
        ("dmey", "even then odd"),
        ("rbio3.1", "three axes"),
    ],
)
def test_in_a_function(wavelet, case):
    check(wavelet, *CASES[case], "float32", tf.function)


@pytest.mark.parametrize(
    ("wavelet", "case", "dtype"),
    [
        ("haar", "three axes", "float32"),
        ("haar", "long", "float64"),
        ("db2", "long", "float64"),
        ("sym8", "odd", "float32"),
        ("bior4.4", "even then odd", "float32"),
        ("dmey", "odd", "float64"),
        ("rbio3.1", "odd", "float32"),
    ],
)
def test_compiled_by_xla(wavelet, case, dtype):
    check(wavelet, *CASES[case], dtype, lambda function: tf.function(function, jit_compile=True))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.sampled_from(WAVELETS),
    st.lists(st.integers(1, 9), min_size=2, max_size=4),
    st.integers(1, 5),
    st.data(),
)
def test_any_shape_and_axes(wavelet, shape, level, draw):
    axes = draw.draw(st.lists(st.sampled_from(range(len(shape))), unique=True, max_size=3))
    check(wavelet, tuple(shape), tuple(axes), level, "float64")


@pytest.mark.parametrize("wavelet", WAVELETS)
def test_outside_the_support_nothing_is_left(wavelet):
    kernel_basis, kernel, support = example(wavelet, (12, 10, 3), (0, 1), 3, "float64")
    result = masking(kernel_basis, kernel.shape, "float64")(
        tf.constant(kernel), tf.constant(support)
    )
    coefficients = kernel_basis.decompose(result.numpy())
    # The printed taps of sym8 and bior4.4 invert each other to 11 digits.
    assert np.abs(coefficients[support == 0]).max() < 1e-10 * np.abs(coefficients).max()
    assert np.abs(coefficients[support == 1]).min() > 0


def test_without_a_wavelet_the_weights_are_masked():
    kernel_basis, kernel, support = example("none", (3, 4, 2), (0, 1), 1, "float32")
    result = masking(kernel_basis, kernel.shape, "float32")(
        tf.constant(kernel), tf.constant(support)
    )
    np.testing.assert_array_equal(result.numpy(), kernel * support.reshape(kernel.shape))


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)])
def test_half_precision_is_computed_in_float32_and_rounded_once(dtype):
    kernel_basis, kernel, support = example("db2", (8, 7, 2), (0, 1), 2, "float32")
    half = kernel.astype(dtype)
    result = masking(kernel_basis, kernel.shape, "float32")(
        tf.constant(half), tf.constant(support)
    ).numpy()
    assert result.dtype == dtype
    expected = projected_by_numpy(kernel_basis, half.astype("float32"), support)
    rounding = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(result.astype("float32"), expected, rtol=rounding / 2, atol=1e-5)


# Shape, axes, splits.
PACKETS = {
    "all of level 2": ((8, 8, 2), (0, 1), ("", "aa", "ad", "da", "dd")),
    "details alone": ((16, 3), (0,), ("", "d", "da", "daa")),
    "odd": ((7, 5, 3), (0, 1), ("", "ad", "dd", "adaa")),
    "one axis of length 1": ((1, 12, 2), (0, 1), ("", "ad", "adaa")),
    "runs out of one axis": ((2, 9, 2), (0, 1), ("", "da", "daaa", "aa")),
    "three axes": ((4, 5, 6, 2), (0, 1, 2), ("", "ddd", "ada")),
    "unordered axes": ((6, 4, 2), (1, 0), ("", "da", "dada")),
    "axes apart": ((6, 2, 7), (0, 2), ("", "dd", "ad")),
    "long": ((300, 2), (0,), ("", "d", "a", "dd")),
    "nothing split": ((6, 4), (0, 1), ()),
}


def check_packets(wavelet, case, dtype, wrap=lambda function: function):
    shape, axes, splits = PACKETS[case]
    packets = basis.Basis(wavelet, 1, axes, shape, splits)
    _, kernel, support = example(wavelet, shape, axes, 1, dtype)
    projection = wrap(masking(packets, kernel.shape, dtype))
    result = projection(tf.constant(kernel), tf.constant(support)).numpy()
    expected = projected_by_numpy(packets, kernel, support)
    assert result.dtype == expected.dtype
    scale = np.abs(packets.decompose(kernel)).max()
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE[dtype] * 4 * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", PACKETS)
@pytest.mark.parametrize("wavelet", ["haar", "db2", "bior4.4", "dmey"])
def test_packets(wavelet, case, dtype):
    check_packets(wavelet, case, dtype)


@pytest.mark.parametrize(
    ("wavelet", "case"), [("haar", "all of level 2"), ("sym8", "odd"), ("db2", "long")]
)
def test_packets_compiled_by_xla(wavelet, case):
    check_packets(
        wavelet, case, "float32", lambda function: tf.function(function, jit_compile=True)
    )


@pytest.mark.parametrize("wavelet", ["haar", "db2"])
def test_packets_outside_the_support_leave_nothing(wavelet):
    shape, axes, splits = PACKETS["odd"]
    packets = basis.Basis(wavelet, 1, axes, shape, splits)
    _, kernel, support = example(wavelet, shape, axes, 1, "float64")
    result = masking(packets, kernel.shape, "float64")(tf.constant(kernel), tf.constant(support))
    coefficients = packets.decompose(result.numpy())
    assert np.abs(coefficients[support == 0]).max() < 1e-12 * np.abs(coefficients).max()
    np.testing.assert_allclose(
        coefficients[support == 1], packets.decompose(kernel)[support == 1], rtol=0, atol=1e-12
    )
