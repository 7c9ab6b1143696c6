"""The basis of one kernel: how deep it goes, what it is called, and that it is invertible."""

from __future__ import annotations

import dataclasses

import ml_dtypes
import numpy as np
import pytest

from dwt_keras.checks import ArgumentError
from dwt_keras.wavelet import basis, blocks, families, transform

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def random(shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize(
    ("level", "axes", "shape", "built", "note"),
    [
        (1, (0, 1), (28, 28, 1, 128), 1, ""),
        (5, (0, 1), (28, 28, 1, 128), 5, ""),
        (6, (0, 1), (28, 28, 1, 128), 5, "level 6 capped at 5 for 28 samples"),
        (3, (0, 1), (3, 3, 32, 64), 2, "level 3 capped at 2 for 3 samples"),
        (3, (0, 1), (3, 28, 2), 3, "level 3 capped at 2 for 3 samples"),
        (9, (0, 1), (3, 28, 2), 5, "level 9 capped at 2 for 3 samples, at 5 for 28 samples"),
        (9, (1, 0), (3, 28, 2), 5, "level 9 capped at 5 for 28 samples, at 2 for 3 samples"),
        (4, (0, 1, 2), (2, 5, 5), 3, "level 4 capped at 1 for 2 samples, at 3 for 5 samples"),
        (2, (0, 1), (1, 3, 8, 8), 2, ""),
        (3, (0, 1), (1, 3, 8, 8), 2, "level 3 capped at 2 for 3 samples"),
        ("max", (0, 1), (28, 28, 1, 128), 5, ""),
        ("max", (0, 1), (3, 7, 64), 3, ""),
        ("max", (0,), (2, 7), 1, ""),
    ],
)
def test_the_level_is_capped_with_a_note(level, axes, shape, built, note):
    found, said = basis.build("db2", level, axes, shape)
    assert found.level == built
    assert said == note
    assert found.shape == shape
    assert found.axes == tuple(axis for axis in axes if shape[axis] > 1)
    assert not found.is_identity
    assert max(band.level for band in found.subbands) == built


@pytest.mark.parametrize(
    ("wavelet", "axes", "shape"),
    [
        ("none", (0, 1), (28, 28)),
        ("haar", (0, 1), (1, 1, 8, 8)),
        ("haar", (), (8, 8)),
        ("haar", (0,), (0,)),
        ("haar", (0, 1), (4, 4, 0)),
        ("haar", (), ()),
    ],
)
@pytest.mark.parametrize("level", [1, 50, "max"])
def test_the_identity_where_nothing_can_be_transformed(wavelet, axes, shape, level):
    found, note = basis.build(wavelet, level, axes, shape)
    assert note == ""
    assert found == basis.identity(shape)
    assert found.is_identity
    assert str(found) == "none"
    assert (found.level, found.axes, found.approximation) == (0, (), None)
    kernel = random(shape) if shape else np.array(0.5, np.float32)
    coefficients = found.decompose(kernel)
    assert coefficients.tobytes() == kernel.tobytes()
    assert not np.shares_memory(coefficients, kernel)
    [band] = found.subbands
    assert (band.name, band.level, band.is_approximation) == ("weights", 0, False)
    assert coefficients[band.slices].shape == shape
    assert found.finest_details == band.slices
    back = found.reconstruct(coefficients, shape, np.float32)
    assert back.tobytes() == kernel.tobytes()
    assert not np.shares_memory(back, coefficients)


@pytest.mark.parametrize("wavelet", ["haar", "sym4", "bior2.2", "dmey"])
@pytest.mark.parametrize("level", [1, 3, "max"])
def test_a_dense_kernel_is_unflattened(wavelet, level):
    kernel = random((784, 128))
    before = kernel.copy()
    found, _ = basis.build(wavelet, level, (0, 1), (28, 28, 1, 128))
    coefficients = found.decompose(kernel)
    assert coefficients.shape == (28, 28, 1, 128)
    assert coefficients.dtype == np.float32
    # Each unit's weights are an image of their own.
    image = transform.decompose(
        np.ascontiguousarray(kernel[:, 17]).reshape(28, 28), wavelet, found.level, (0, 1)
    )
    np.testing.assert_allclose(coefficients[:, :, 0, 17], image, rtol=0, atol=1e-5)
    back = found.reconstruct(coefficients, kernel.shape, kernel.dtype)
    assert back.shape == (784, 128)
    assert back.dtype == np.float32
    assert np.abs(back - kernel).max() <= 1e-5 * np.abs(kernel).max()
    assert np.array_equal(kernel, before)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("wavelet", ["db2", "none"])
def test_dtypes(dtype, wavelet):
    kernel = random((12, 3), dtype)
    found, _ = basis.build(wavelet, 2, (0, 1), (3, 4, 3))
    coefficients = found.decompose(kernel)
    # Half precision is not rounded to before the threshold has been applied.
    assert coefficients.dtype == (np.float64 if dtype is np.float64 else np.float32)
    wide = found.decompose(kernel.astype(coefficients.dtype))
    assert np.array_equal(coefficients, wide)
    back = found.reconstruct(coefficients, kernel.shape, kernel.dtype)
    assert back.dtype == kernel.dtype
    assert back.shape == kernel.shape
    np.testing.assert_allclose(
        back.astype(np.float64),
        kernel.astype(np.float64),
        rtol=0,
        atol=max(1e-11, 4 * float(ml_dtypes.finfo(dtype).eps)),
    )


@pytest.mark.parametrize("wavelet", ["db2", "none"])
def test_kernels_and_coefficients_of_any_memory_order(wavelet):
    kernel = np.asfortranarray(random((16, 6)))
    kernel.flags.writeable = False
    found, _ = basis.build(wavelet, 2, (0, 1), (4, 4, 6))
    coefficients = found.decompose(kernel)
    assert np.array_equal(coefficients, found.decompose(np.array(kernel, order="C")))
    frozen = np.asfortranarray(coefficients)
    frozen.flags.writeable = False
    back = found.reconstruct(frozen, kernel.shape, kernel.dtype)
    np.testing.assert_allclose(back, kernel, rtol=0, atol=1e-6)
    assert np.array_equal(frozen, coefficients)


@pytest.mark.parametrize(
    ("wavelet", "level", "axes", "shape", "text"),
    [
        ("haar", 1, (0, 1), (28, 28, 1, 128), "haar 1 over 28x28"),
        ("bior4.4", "max", (0, 1), (28, 28, 1, 128), "bior4.4 5 over 28x28"),
        ("sym2", 9, (0,), (7, 10), "sym2 3 over 7"),
        ("db3", 2, (0, 1), (1, 5, 2, 2), "db3 2 over 5"),
        ("none", 2, (0, 1), (5, 5), "none"),
    ],
)
def test_in_words(wavelet, level, axes, shape, text):
    assert str(basis.build(wavelet, level, axes, shape)[0]) == text


@pytest.mark.parametrize(
    ("level", "axes", "shape", "name"),
    [
        (1, (0, 1), (28, 28, 1, 4), "dd1"),
        (4, (0, 1), (28, 28, 1, 4), "dd1"),
        ("max", (1, 2), (4, 7, 3), "dd1"),
        (3, (0,), (9, 4), "d1"),
        (2, (0, 1, 2), (5, 6, 7, 2), "ddd1"),
        (3, (0, 1), (2, 16), "dd1"),
        (2, (0, 1), (1, 16), "d1"),
    ],
)
def test_the_finest_details_are_details_along_every_axis(level, axes, shape, name):
    found, _ = basis.build("haar", level, axes, shape)
    bands = {band.name: band.slices for band in found.subbands}
    assert found.finest_details == bands[name]
    assert found.approximation == bands["a" * len(found.axes) + str(found.level)]
    # Only what changes its sign from sample to sample along every axis shows there.
    signs = np.ones(shape)
    for axis in found.axes:
        alternating = (-1.0) ** np.arange(shape[axis])
        signs *= np.expand_dims(alternating, [a for a in range(len(shape)) if a != axis])
    energy = found.decompose(signs)[found.finest_details] ** 2
    even = [shape[axis] // 2 * 2 if axis in found.axes else n for axis, n in enumerate(shape)]
    assert energy.sum() == pytest.approx(np.prod(even))


def test_subbands_are_found_once():
    found, _ = basis.build("db2", 2, (0, 1), (8, 8))
    assert found.subbands is found.subbands
    assert found.subbands == blocks.subbands((8, 8), 2, (0, 1))


def test_a_basis_is_a_value():
    one, _ = basis.build("db2", 2, (0, 1), (8, 8))
    other, _ = basis.build("db2", 2, [0, 1], [8, 8])
    assert one == other
    assert hash(one) == hash(other)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.level = 3
    assert basis.identity([2, 3]) == basis.Basis(families.IDENTITY, 0, (), (2, 3))


def test_a_kernel_of_whole_numbers_is_refused():
    found, _ = basis.build("haar", 1, (0,), (4, 4))
    with pytest.raises(ArgumentError, match=r"^array must be float16, .*; given int64$"):
        found.decompose(np.ones((4, 4), np.int64))


def test_a_kernel_of_another_size_is_refused():
    found, _ = basis.build("haar", 1, (0,), (4, 4))
    with pytest.raises(ValueError, match="reshape"):
        found.decompose(random((4, 5)))
