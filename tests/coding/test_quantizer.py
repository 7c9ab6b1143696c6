"""Quantisation: how far values move, what rounding saves, and the same bits back."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dwt_keras.checks import ArgumentError
from dwt_keras.coding import quantizer

VALUES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6),
    elements=st.floats(-100, 100, width=32),
)
STEPS = st.floats(np.float32(2**-10), 2**10, width=32)


def laplacian(count=20_000, seed=0):
    return np.random.default_rng(seed).laplace(size=count).astype(np.float32)


def entropy_bits(levels):
    _, counts = np.unique(levels, return_counts=True)
    shares = counts / counts.sum()
    return -float(counts @ np.log2(shares))


@settings(deadline=None)  # The first call compiles.
@given(VALUES, STEPS)
def test_without_weighing_no_value_moves_by_more_than_half_a_step(values, step):
    levels = quantizer.quantise(values, step, rate_weight=0.0)
    assert levels.dtype == np.int32
    assert levels.shape == values.shape
    back = quantizer.dequantise(levels, step)
    assert back.dtype == np.float32
    error = np.abs(back.astype(np.float64) - values)
    assert (error <= 0.5 * step * (1 + 1e-6) + 1e-5 * np.abs(values)).all()


@settings(deadline=None)  # The first call compiles.
@given(VALUES, STEPS, st.floats(0, 10))
def test_weighing_only_moves_levels_towards_zero(values, step, weight):
    plain = quantizer.quantise(values, step, rate_weight=0.0)
    weighed = quantizer.quantise(values, step, weight)
    assert (np.abs(weighed) <= np.abs(plain)).all()
    assert (np.sign(weighed) * np.sign(plain) >= 0).all()
    below = np.maximum(np.abs(plain) - 1, 0)
    assert ((weighed == plain) | (weighed == 0) | (np.abs(weighed) == below)).all()


def test_weighing_gives_fewer_bits_at_the_same_error():
    values = laplacian()

    def at(step, weight):
        levels = quantizer.quantise(values, step, weight)
        error = quantizer.dequantise(levels, step) - values
        return float(np.mean(error**2)), entropy_bits(levels)

    error, bits = at(2.5, quantizer.RATE_WEIGHT)
    finest = quantizer.step_for(lambda step: at(step, 0.0)[0], error, 8.0, 0.1)
    _, plain_bits = at(finest, 0.0)
    assert bits < 0.97 * plain_bits


def test_every_level_is_the_cheapest_of_its_three_candidates():
    values = laplacian(500)
    levels = np.abs(quantizer.quantise(values, 0.5, 0.3))
    sizes = np.abs(values.astype(np.float64)) / 0.5
    nearest = np.rint(sizes).astype(int)
    first = np.abs(quantizer.quantise(values, 0.5, 0.0))
    for _ in range(2):
        counts = np.bincount(first, minlength=1025)
        bits = -np.log2((counts + 0.5) / (len(values) + 0.5 * 1025)) + (np.arange(1025) > 0)
        first = np.array(
            [
                min(
                    (near, max(near - 1, 0), 0),
                    key=lambda k, size=size, bits=bits: (size - k) ** 2 + 0.3 * bits[k],
                )
                for size, near in zip(sizes, nearest, strict=True)
            ]
        )
    np.testing.assert_array_equal(levels, first)


def test_the_same_bits_come_back_as_from_a_plain_product():
    levels = np.array([-3, 0, 7, 12_345_678], np.int32)
    step = float(np.float32(0.1))
    expected = np.array([np.float32(k) * np.float32(0.1) for k in levels])
    np.testing.assert_array_equal(quantizer.dequantise(levels, step), expected)
    assert quantizer.dequantise(levels, step, np.float64).dtype == np.float64


def test_values_of_any_size_are_taken_as_long_as_levels_are_small_enough():
    for scale in (1e-30, 1e30):
        values = np.array([1.0, -0.5, 0.26], np.float32) * np.float32(scale)
        np.testing.assert_array_equal(quantizer.quantise(values, 0.25 * scale, 0.0), [4, -2, 1])
    with pytest.raises(ArgumentError, match=r"^step must be at least 0\.0596 for values up to 1e"):
        quantizer.quantise(np.array([1e6], np.float32), 0.01)
    assert quantizer.quantise(np.array([2.0**24 - 1]), 1.0, 0.0)[0] == quantizer.LARGEST_LEVEL


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ArgumentError, match=r"^values must be finite; given NaN or infinity$"):
        quantizer.quantise(np.array([0.0, bad]), 1.0)


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf])
def test_steps_that_are_none_are_refused(step):
    with pytest.raises(ArgumentError, match=r"^step must be a finite number, above 0"):
        quantizer.quantise(np.zeros(2), step)


def test_a_step_is_found_to_one_per_cent():
    found = quantizer.step_for(lambda step: step**2, 0.09, 10.0, 1e-6)
    assert 0.297 <= found <= 0.3
    assert found == np.float32(found)
    assert quantizer.step_for(lambda step: step, 1e-9, 10.0, 0.5) == 0.5
    assert quantizer.step_for(lambda step: step, 100.0, 10.0, 0.5) == 10.0


def test_quantising_takes_little_memory_beside_values_and_levels() -> None:
    values = np.random.default_rng(0).standard_normal(1 << 20).astype(np.float32)
    quantizer.quantise(values[:100], 0.1)  # Compiles.
    tracemalloc.start()
    quantizer.quantise(values, 0.1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The levels, and as much for the checks.
    assert most < 9 * values.size
