"""What the settings of compression fill in, and what does not go together."""

from __future__ import annotations

import math

import pytest

from dwt_keras.checks import ArgumentError
from dwt_keras.settings import (
    CompressionSettings,
    Settings,
    TrainingSettings,
)


@pytest.mark.parametrize(
    ("given_level", "level"),
    [
        (1, 1),
        (3, 3),
        ("3", 3),
        ("+2", 2),
        ("007", 7),
        ("max", "max"),
        (1000, 1000),
        ("auto", "auto"),
        (None, 1),
    ],
)
def test_levels(given_level, level):
    assert CompressionSettings(level=given_level).level == level


@pytest.mark.parametrize(
    ("wavelet", "name", "note"),
    [
        ("haar", "haar", None),
        ("HAAR", "haar", None),
        ("Bior4.4", "bior4.4", None),
        ("none", "none", None),
        ("identity", "none", None),
        ("harr", "haar", "haar"),
        ("db", "db1", "db1"),
        ("cgau", "cgau1", "cgau1"),
        ("CMOR1.5-1", "cmor1.5-1.0", None),
        ("Auto", "auto", None),
    ],
)
def test_the_wavelet_becomes_its_canonical_name(wavelet, name, note):
    found = CompressionSettings(wavelet=wavelet)
    assert found.wavelet == name
    assert len(found.notes) == (note is not None)
    assert all(note in line for line in found.notes)


@pytest.mark.parametrize("rule", ["absolute", "relative", "quantile"])
def test_the_default_threshold_is_filled_in(rule):
    assert CompressionSettings(threshold_rule=rule).threshold == 0.05
    assert CompressionSettings(threshold_rule=rule, threshold=0).threshold == 0.0
    assert CompressionSettings(threshold_rule=rule, threshold=0.5).threshold == 0.5


def test_the_rule_universal_takes_no_threshold():
    assert CompressionSettings(threshold_rule="universal").threshold is None
    for threshold in (0.0, 0.05):
        with pytest.raises(
            ArgumentError, match=f"^threshold must not be given .*universal.*; given {threshold}$"
        ):
            CompressionSettings(threshold_rule="universal", threshold=threshold)


# What finds the threshold itself, as two settings may say it.
BUDGETS = [{"target_bytes": 4500}, {"max_accuracy_drop": 0.01}]


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_brings_its_own_defaults(budget):
    found = Settings.from_flat(budget)
    compression = found.compression
    assert (compression.wavelet, compression.level) == ("auto", "auto")
    assert (compression.threshold_rule, compression.threshold) == ("bytes", None)
    assert (compression.hold_support, compression.ramp) == (True, "cubic")
    assert compression.scale_dropout
    assert found.optimization.learning_rate_schedule == "cosine"
    assert Settings.from_flat({**budget, "wavelet": "haar"}).compression.level == 1
    constant = Settings.from_flat({**budget, "learning_rate_schedule": "constant"})
    assert constant.optimization.learning_rate_schedule == "constant"
    assert Settings.from_json(found.to_json()) == found


def test_without_a_budget_learning_rate_and_dropout_are_constant():
    assert Settings().optimization.learning_rate_schedule == "constant"
    assert not Settings().compression.scale_dropout


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", 0.05),
        ("threshold", 0.0),
        ("threshold_rule", "absolute"),
        ("threshold_rule", "quantile"),
        ("threshold_mode", "soft"),
        ("keep_approximation", True),
        ("hold_support", False),
    ],
)
def test_what_a_budget_decides_is_not_given_beside_it(budget, name, value):
    (given,) = budget
    pattern = rf"^{name} must not be given beside {given}, which .*; given {value!r}$"
    with pytest.raises(ArgumentError, match=pattern):
        CompressionSettings(**budget, **{name: value})


@pytest.mark.parametrize("name", ["rows", "columns"])
def test_what_remains_brings_its_own_defaults(name):
    found = Settings.from_flat({f"keep_{name}": "0.125"})
    compression = found.compression
    assert (compression.structure, compression.threshold_rule) == (name, "structure")
    assert (compression.wavelet, compression.level) == ("auto", "auto")
    assert (compression.hold_support, compression.ramp) == (True, "cubic")
    assert compression.scale_dropout
    assert found.optimization.learning_rate_schedule == "cosine"
    assert Settings.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0.125", (("", 0.125),)),
        ("98", (("", 98),)),
        ("1", (("", 1),)),
        ("1.0", (("", 1.0),)),
        (98, (("", 98),)),
        (0.5, (("", 0.5),)),
        ("conv:0.5, dense_1$:3", (("conv", 0.5), ("dense_1$", 3))),
        (None, ()),
    ],
)
def test_how_many_rows_layers_keep(given, expected):
    other = {"max_accuracy_drop": 0.1, "structure": "rows"} if given is None else {}
    found = CompressionSettings(keep_rows=given, **other).kept
    assert found == expected
    assert [type(number) for _, number in found] == [type(number) for _, number in expected]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"structure": "rows"}, "structure rows needs keep_rows or max_accuracy_drop; none"),
        ({"structure": "columns"}, "structure columns needs keep_columns or"),
        ({"structure": "columns", "keep_rows": 3}, "keep_rows needs structure=rows; given 3"),
        ({"structure": "coefficients", "keep_rows": 3}, "keep_rows needs structure=rows; given 3"),
        ({"keep_rows": 3, "keep_columns": 4}, "keep_columns needs structure=columns; given 4"),
        ({"threshold_rule": "structure"}, "threshold_rule structure needs keep_rows or"),
        ({"keep_rows": 3, "axes": "matrix"}, "axes must not be given beside structure=rows"),
        ({"keep_rows": 3, "threshold": 0.1}, "threshold must not be given beside structure=rows"),
        ({"keep_rows": 3, "threshold_rule": "sure"}, "threshold_rule must not be given beside"),
        ({"keep_rows": 3, "threshold_mode": "soft"}, "threshold_mode must not be given beside"),
        ({"keep_rows": 3, "keep_approximation": True}, "keep_approximation must not be given"),
        ({"keep_rows": 3, "hold_support": False}, "hold_support must not be given beside"),
        (
            {"keep_rows": 3, "target_bytes": 900},
            "target_bytes must not be given beside structure=rows",
        ),
        ({"keep_rows": 3, "max_accuracy_drop": 0.1}, "keep_rows must not be given beside max_acc"),
        ({"structure": "rows", "max_accuracy_drop": 1.5}, "max_accuracy_drop must be a finite"),
        ({"keep_rows": 3, "wavelet": "morl"}, "wavelet must be a discrete one beside keep_rows"),
    ],
)
def test_what_does_not_go_with_rows_and_columns_is_refused(given, message):
    with pytest.raises(ArgumentError, match=f"^{message}"):
        CompressionSettings(**given)


def test_a_budget_leaves_epochs_to_train_quantised():
    for late in ({"ramp_end_epoch": 8}, {"ramp_begin_epoch": 7}):
        (name,) = late
        pattern = rf"^{name} must leave epochs of 8 .*; given {late[name]}$"
        with pytest.raises(ArgumentError, match=pattern):
            Settings.from_flat({"target_bytes": 4500, "epochs": 8, **late})
    assert Settings.from_flat({"target_bytes": 4500, "epochs": 8, "ramp_end_epoch": 7})
    assert Settings.from_flat({"target_bytes": 4500, "epochs": 1})


def test_there_is_one_budget():
    with pytest.raises(ArgumentError, match=r"^max_accuracy_drop .* target_bytes; given 0\.01$"):
        CompressionSettings(target_bytes=4500, max_accuracy_drop=0.01)


def test_a_budget_needs_a_basis():
    with pytest.raises(ArgumentError, match=r"^wavelet must be a discrete one beside target_bytes"):
        CompressionSettings(target_bytes=4500, wavelet="mexh")


def test_bytes_is_no_rule_by_itself():
    with pytest.raises(ArgumentError, match=r"^threshold_rule bytes needs target_bytes or max"):
        CompressionSettings(threshold_rule="bytes")


@pytest.mark.parametrize("rule", ["quantile", "relative"])
@pytest.mark.parametrize("threshold", [1, 1.0, 3.5, -0.1, math.nan])
def test_a_fraction_lies_below_one(rule, threshold):
    with pytest.raises(ArgumentError, match=r"^threshold must be .*0 or more, below 1; given"):
        CompressionSettings(threshold_rule=rule, threshold=threshold)


def test_a_magnitude_may_be_above_one():
    assert CompressionSettings(threshold=3.5).threshold == 3.5
    below = math.nextafter(1.0, 0.0)
    assert CompressionSettings(threshold_rule="quantile", threshold=below).threshold == below


@pytest.mark.parametrize(
    ("rule", "hold_support", "ramp"),
    [
        ("absolute", False, "constant"),
        ("relative", False, "constant"),
        ("universal", False, "constant"),
        ("quantile", True, "cubic"),
    ],
)
def test_holding_and_ramp_follow_the_rule(rule, hold_support, ramp):
    found = CompressionSettings(threshold_rule=rule)
    assert (found.hold_support, found.ramp) == (hold_support, ramp)
    other = CompressionSettings(threshold_rule=rule, hold_support=not hold_support, ramp="linear")
    assert (other.hold_support, other.ramp) == (not hold_support, "linear")


@pytest.mark.parametrize("ramp", ["linear", "cubic"])
@pytest.mark.parametrize("end", [4, 3, 0, 5.5, "6"])
def test_a_ramp_ends_after_it_begins(ramp, end):
    with pytest.raises(ArgumentError, match=r"^ramp_end_epoch must be a whole number, 5 or more"):
        CompressionSettings(ramp=ramp, ramp_begin_epoch=4, ramp_end_epoch=end)
    assert CompressionSettings(ramp=ramp, ramp_begin_epoch=4, ramp_end_epoch=5).ramp_end_epoch == 5


def test_a_constant_ramp_has_no_end():
    with pytest.raises(ArgumentError, match=r"^ramp_end_epoch needs ramp=linear or cubic"):
        CompressionSettings(ramp_end_epoch=4)
    assert CompressionSettings(threshold_rule="quantile", ramp_end_epoch=4).ramp == "cubic"


@pytest.mark.parametrize(
    "make",
    [
        lambda end: Settings.from_flat({"ramp": "cubic", "ramp_end_epoch": end, "epochs": 8}),
        lambda end: Settings(
            compression=CompressionSettings(ramp="cubic", ramp_end_epoch=end),
            training=TrainingSettings(epochs=8),
        ),
    ],
    ids=["flat", "groups"],
)
def test_a_ramp_ends_within_the_training(make):
    assert make(8).compression.ramp_end_epoch == 8
    with pytest.raises(
        ArgumentError, match=r"^ramp_end_epoch must not lie beyond the last epoch, 8; given 9$"
    ):
        make(9)


def test_a_ramp_begins_within_the_training():
    assert Settings.from_flat({"ramp_begin_epoch": 7, "epochs": 8}).training.epochs == 8
    for begin in (8, 9):
        with pytest.raises(
            ArgumentError, match=rf"^ramp_begin_epoch must lie before .*, 8; given {begin}$"
        ):
            Settings.from_flat({"ramp_begin_epoch": begin, "epochs": 8})
