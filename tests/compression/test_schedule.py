"""The ramp of the threshold over the epochs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras.compression import schedule
from dwt_keras.settings import CompressionSettings
from dwt_keras.settings.ramps import RAMPS

ramps = st.sampled_from(RAMPS)
epochs = st.integers(1, 60)


@st.composite
def trainings(draw):
    """A schedule, and the number of epochs it was made for."""
    count = draw(epochs)
    begin = draw(st.integers(0, 60))
    end = draw(st.none() | st.integers(begin + 1, begin + 60))
    return schedule.for_training(draw(ramps), begin, end, count), count


@settings(derandomize=True)
@given(trainings(), st.lists(st.floats(0, 130), min_size=2, max_size=12))
def test_factor_is_monotone_and_stays_between_0_and_1(training, moments):
    planned, _ = training
    factors = [planned.factor(moment) for moment in sorted(moments)]
    assert all(0.0 <= factor <= 1.0 for factor in factors)
    assert all(first <= second for first, second in itertools.pairwise(factors))


@settings(derandomize=True)
@given(trainings(), st.floats(0, 1))
def test_factor_is_0_up_to_the_begin_and_1_from_the_end(training, share):
    planned, _ = training
    assert planned.factor(share * planned.begin_epoch) == 0.0
    assert planned.factor(planned.end_epoch + share) == 1.0
    assert planned.factor(1e9) == 1.0


@settings(derandomize=True)
@given(ramps, epochs)
def test_without_an_end_the_threshold_is_full_by_two_thirds_and_by_the_last_epoch(ramp, count):
    planned = schedule.for_training(ramp, 0, None, count)
    assert planned.end_epoch == max(1, round(2 * count / 3)) <= count
    assert planned.factor(planned.end_epoch) == 1.0


@pytest.mark.parametrize(
    ("ramp", "factors"),
    [
        ("constant", [0, 0, 0, 1, 1, 1, 1]),
        ("linear", [0, 0, 0, 0.25, 0.5, 0.75, 1]),
        ("cubic", [0, 0, 0, 1 - 0.75**3, 1 - 0.5**3, 1 - 0.25**3, 1]),
    ],
)
def test_ramps_between_epochs_2_and_6(ramp, factors):
    planned = schedule.for_training(ramp, 2, 6, 10)
    assert [planned.factor(epoch) for epoch in range(7)] == pytest.approx(factors)


def test_parts_of_an_epoch_count():
    assert schedule.Schedule("linear", 0, 2).factor(0.5) == pytest.approx(0.25)
    assert schedule.Schedule("constant", 1, 2).factor(1.001) == 1.0


def test_begin_behind_the_default_end_moves_the_end():
    planned = schedule.for_training("cubic", 8, None, 9)
    assert (planned.begin_epoch, planned.end_epoch) == (8, 9)


@pytest.mark.parametrize(
    ("compression", "count", "first"),
    [
        ({}, 10, 0),
        ({"ramp_begin_epoch": 3}, 10, 3),
        # Two thirds of the epochs, at whose end, the 7th's, the threshold is full.
        ({"threshold_rule": "quantile"}, 10, 6),
        ({"threshold_rule": "quantile", "ramp_end_epoch": 4}, 10, 3),
        ({"threshold_rule": "quantile", "ramp": "constant"}, 10, 0),
        ({"wavelet": "auto"}, 10, 0),
        ({"wavelet": "auto", "choose_basis_epochs": "2,8"}, 10, 7),
        ({"keep_rows": 0.5}, 10, 1),
        ({"max_accuracy_drop": 0.01, "structure": "rows"}, 10, 1),
        ({"target_bytes": 900}, 10, 6),
        ({"max_accuracy_drop": 0.01}, 10, 6),
        ({"target_bytes": 900, "ramp_end_epoch": 8}, 10, 8),
        ({"target_bytes": 900, "choose_basis_epochs": "9"}, 10, 9),
        ({"target_bytes": 900, "choose_basis_epochs": "10"}, 10, 10),
        ({"target_bytes": 900}, 2, 1),
        ({"target_bytes": 900}, 1, 1),
        ({"threshold_rule": "quantile"}, 1, 0),
    ],
)
def test_the_first_epoch_that_may_remain(compression, count, first):
    assert schedule.first_full_epoch(CompressionSettings(**compression), count) == first


def test_rows_that_go_as_a_whole_are_gone_after_a_quarter_of_the_training():
    planned = schedule.for_training("cubic", 0, None, 16, structured=True)
    assert planned.end_epoch == 4
    assert schedule.for_training("cubic", 0, None, 1, structured=True).end_epoch == 1
