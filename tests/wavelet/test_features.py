"""Some coefficients of an input: what the whole transform gives, and no more than is needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras import checks
from dwt_keras.wavelet import basis, features

WAVELETS = ("haar", "db2", "sym4", "bior4.4", "rbio2.2", "dmey")


def products(plan, inputs):
    """The coefficients by the products along each axis, as a layer computes them."""
    values = inputs.reshape(len(inputs), *plan.basis.shape)
    for axis in plan.axes:
        values = np.moveaxis(np.tensordot(values, plan.matrix(axis), (axis + 1, 1)), -1, axis + 1)
    return values.reshape(len(inputs), -1)[:, plan.places]


def computed(plan, inputs):
    """The coefficients by the whole transform."""
    return features.adjoint(plan.basis, inputs)[:, plan.rows]


@given(
    wavelet=st.sampled_from(WAVELETS),
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    level=st.integers(1, 3),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_a_product_with_the_kept_rows_is_the_product_with_the_kernel(wavelet, shape, level, data):
    units = 3
    kernel_shape = (*shape, units)
    axes = data.draw(st.sets(st.sampled_from(range(len(shape)))))
    kernel_basis, _ = basis.build(wavelet, level, tuple(sorted(axes)), kernel_shape)
    count = int(np.prod(shape))
    rows = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    rng = np.random.default_rng(0)
    coefficients = np.zeros(kernel_shape)
    coefficients.reshape(count, units)[sorted(rows)] = rng.normal(size=(len(rows), units))
    kernel = kernel_basis.reconstruct(coefficients.copy(), (count, units), np.float64)
    inputs = rng.normal(size=(4, count))
    plan = features.plan(features.of_inputs(kernel_basis), sorted(rows))
    small = coefficients.reshape(count, units)[sorted(rows)]
    for found in (computed(plan, inputs), products(plan, inputs)):
        np.testing.assert_allclose(found @ small, inputs @ kernel, atol=1e-10)


def test_wavelet_packets():
    splits = ("", "ad", "aa")
    found = basis.Basis("sym2", 2, (0, 1), (8, 6, 2), splits)
    rows = np.arange(0, 96, 5)
    inputs = np.random.default_rng(0).normal(size=(3, 96))
    plan = features.plan(found, rows)
    np.testing.assert_allclose(products(plan, inputs), computed(plan, inputs), atol=1e-12)


def test_only_the_atoms_that_are_needed():
    found, _ = basis.build("haar", 3, (0, 1), (28, 28))
    plan = features.plan(found, [0, 1, 28])
    assert plan.atoms == ((("aaa", 0), ("aaa", 1)), (("aaa", 0), ("aaa", 1)))
    assert plan.matrix(0).shape == (2, 28)
    assert plan.places.tolist() == [0, 1, 2]
    assert not plan.matrix(0)[0, 8:].any()


def test_rows_keep_the_order_that_they_are_given_in():
    found, _ = basis.build("haar", 1, (0,), (6,))
    inputs = np.arange(12.0).reshape(2, 6)
    forth, back = features.plan(found, [4, 0, 2]), features.plan(found, [2, 0, 4])
    assert np.array_equal(computed(forth, inputs), computed(back, inputs)[:, ::-1])
    assert np.array_equal(products(forth, inputs), products(back, inputs)[:, ::-1])


def test_without_a_transform_inputs_are_picked():
    plan = features.plan(basis.identity((2, 3)), [5, 1])
    inputs = np.arange(12.0).reshape(2, 6)
    assert plan.axes == ()
    assert computed(plan, inputs).tolist() == [[5.0, 1.0], [11.0, 7.0]]
    assert products(plan, inputs).tolist() == [[5.0, 1.0], [11.0, 7.0]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "must be one index or more, each once"),
        ([1, 1], "must be one index or more, each once"),
        ([[1]], "must be one index or more, each once"),
        ([6], "must lie within 0 and 5; given 6"),
        ([-1], "must lie within 0 and 5; given -1"),
    ],
)
def test_rows_that_are_not_there_are_refused(rows, message):
    with pytest.raises(checks.ArgumentError, match=message):
        features.plan(basis.identity((2, 3)), rows)


def test_a_transform_over_units_has_no_rows():
    found, _ = basis.build("haar", 1, (0, 1), (4, 4))
    with pytest.raises(checks.ArgumentError, match="must not hold that of the units, 1"):
        features.of_inputs(found)
