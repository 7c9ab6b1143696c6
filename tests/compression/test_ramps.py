"""Thresholds that grow over the epochs of a training."""

from __future__ import annotations

import pytest
from watched import On, fit

from dwt_keras import DWTCompression, checks


def test_a_quantile_grows_cubically_to_its_full_value_by_two_thirds_of_the_epochs(mlp, data):
    callback = DWTCompression(
        "haar", 2, threshold_rule="quantile", threshold=0.9, hold_support=False
    )
    assert callback.settings.ramp == "cubic"
    fractions = fit(mlp(), data, callback, epochs=6).history["zero_fraction"]
    count = 64 * 6 + 6 * 3
    expected = [0.9 * (1 - (1 - p) ** 3) for p in (0.25, 0.5, 0.75, 1, 1, 1)]
    assert fractions == pytest.approx(expected, abs=0.5 / count + 1e-9)
    by_layer = callback.report.zero_fraction_by_layer
    assert by_layer["hidden"] > 0.9 > by_layer["classes"]


def test_the_ramp_begins_and_ends_where_it_is_told(mlp, data):
    callback = DWTCompression(
        threshold=0.3, ramp="linear", ramp_begin_epoch=1, ramp_end_epoch=3, apply_every_batches=3
    )
    applied = []

    def note(batch, logs):
        if batch in (2, 5):
            applied.append(callback.report.threshold)

    history = fit(mlp(), data, callback, On(train_batch_end=note), epochs=4).history
    assert history["threshold"] == pytest.approx([0, 0.15, 0.3, 0.3])
    # Shrinkings in mid-epoch are half a step behind.
    assert applied == pytest.approx([0, 0, 0.075, 0.15, 0.225, 0.3, 0.3, 0.3])


@pytest.mark.parametrize(
    ("ramp", "message"),
    [
        ({"ramp_begin_epoch": 2}, "ramp_begin_epoch must lie before the last epoch, 2; given 2"),
        (
            {"ramp": "cubic", "ramp_end_epoch": 3},
            "ramp_end_epoch must not lie beyond the last epoch, 2; given 3",
        ),
    ],
)
def test_a_ramp_that_the_training_does_not_reach_is_refused(mlp, data, ramp, message):
    with pytest.raises(checks.ArgumentError, match=message):
        fit(mlp(), data, DWTCompression(**ramp), epochs=2)


def test_before_the_ramp_training_is_free(mlp, data):
    callback = DWTCompression(threshold=0.3, ramp_begin_epoch=1, hold_support=True)
    fractions = fit(mlp(), data, callback, epochs=2).history["zero_fraction"]
    assert fractions[0] == 0.0
    assert fractions[1] > 0.3


def test_a_training_resumed_at_a_later_epoch_is_at_that_point_of_the_ramp(mlp, data):
    callback = DWTCompression(threshold=0.3, ramp="linear", ramp_end_epoch=4)
    history = fit(mlp(), data, callback, epochs=4, initial_epoch=2).history
    assert history["threshold"] == pytest.approx([0.225, 0.3])
