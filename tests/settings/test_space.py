"""What --space says, and what a search is told."""

from __future__ import annotations

from typing import Any

import pytest

from dwt_keras import checks
from dwt_keras.settings import Settings, space, space_grammar
from dwt_keras.settings.tuning import TuningSettings

DOCUMENTED = "wavelet=haar,sym2,bior4.4 level=1..4 threshold=1e-3..1e-1:log batch_size=32,64,128"


def parameter(text: str) -> space.Parameter:
    (found,) = space_grammar.parse(text)
    return found


def test_the_documented_space_is_read() -> None:
    wavelet, level, threshold, batch_size = space_grammar.parse(DOCUMENTED)
    assert wavelet.choices == ("haar", "sym2", "bior4.4")
    assert (level.low, level.high, level.is_whole, level.is_log) == (1, 4, True, False)
    assert (threshold.low, threshold.high, threshold.is_log) == (1e-3, 0.1, True)
    assert not threshold.is_whole
    assert batch_size.choices == (32, 64, 128)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("threshold=1e-3..1e-1:log:5", (0.001, 0.00316228, 0.01, 0.0316228, 0.1)),
        ("threshold=0..1:5", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("level=1..4", (1, 2, 3, 4)),
        ("level=1..9:3", (1, 5, 9)),
        ("batch_size=16..256:log:3", (16, 64, 256)),
        ("level=1,max", (1, "max")),
        ("hidden_units=(300,100),64", ("300,100", "64")),
        ("momentum=none,0.9", (None, 0.9)),
        ("batch_norm=true,false", (True, False)),
        ("keep_rows=98,0.5", (98, 0.5)),
        ("augment=(flip,rotate=10),flip", ("flip,rotate=10", "flip")),
    ],
)
def test_points_of_a_parameter(text: str, points: tuple[Any, ...]) -> None:
    found = tuple(parameter(text).points)
    assert found == points
    assert list(map(type, found)) == list(map(type, points))


def test_a_range_of_whole_numbers_for_a_setting_that_takes_text() -> None:
    found = parameter("hidden_units=8..32")
    assert space.changed(Settings(), (found,), {"hidden_units": 16}).training.hidden_units == (16,)


def test_what_follows_from_a_setting_follows_in_each_trial() -> None:
    parameters = space_grammar.parse("threshold_rule=absolute,quantile")
    ramps = [
        space.changed(Settings.from_flat({}), parameters, {"threshold_rule": rule}).compression.ramp
        for rule in ("absolute", "quantile")
    ]
    assert ramps == ["constant", "cubic"]
    given = Settings.from_flat({"ramp": "linear"})
    assert space.changed(given, parameters, {"threshold_rule": "quantile"}).compression.ramp == (
        "linear"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must have a parameter"),
        ("wavlet=haar", "names wavlet, which is no setting that a search can vary .did you mean"),
        ("seed=1,2", "names seed, which is no setting"),
        ("save_dir=a,b", "names save_dir, which is no setting"),
        ("dataset=digits,mnist", "names dataset, which is no setting"),
        ("wavelet", "must be NAME=VALUES"),
        ("level=4..1", "must have ranges that rise; given level=4..1"),
        ("level=2..2", "must have ranges that rise"),
        ("threshold=0..1:log", "must have ranges above 0 beside :log"),
        ("threshold=..1", "must have finite numbers for threshold"),
        ("threshold=0..nan", "must have finite numbers for threshold"),
        ("threshold=0..1:ln", "must have ranges as LOW..HIGH, "),
        ("threshold=0..1:1", "must have 2 to 1000 values of a range"),
        ("threshold=0..1:1000000000", "must have 2 to 1000 values of a range"),
        ("level=1.5..3", "must have whole numbers for level"),
        ("batch_size=1.5", "must have whole numbers for batch_size"),
        ("wavelet=haar..sym2", "must list the values of wavelet"),
        ("wavelet=haar,", "must give a value between commas"),
        ("wavelet=haar,haar", "must give each value once"),
        ("level=1 level=2", "must name each setting once"),
        ("batch_norm=maybe", "must have true or false for batch_norm"),
        ("hidden_units=(8,4", "must close the parentheses"),
    ],
)
def test_a_space_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(checks.ArgumentError, match=f"^space {said}"):
        space_grammar.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wavelet=haar,sym99", "wavelet=sym99: wavelet must be a wavelet of PyWavelets"),
        ("level=0..4", "level=0: level must be a whole number, 1 or more"),
        ("target_bytes=900,1500 threshold=0.1,0.2", "target_bytes=900: threshold must not be"),
        ("momentum=0..0.9", "momentum=0.0: momentum needs optimizer=sgd"),
    ],
)
def test_values_that_the_settings_refuse_are_refused_before(text: str, said: str) -> None:
    with pytest.raises(checks.ArgumentError, match=f"^space has a value that is refused, {said}"):
        space.candidates(Settings.from_flat({}), space_grammar.parse(text))


def test_a_value_that_goes_with_some_others_is_not_refused() -> None:
    text = "optimizer=sgd,adam momentum=none,0.5,0.9"
    assert len(space.candidates(Settings.from_flat({}), space_grammar.parse(text))) == 5


SPACE = {"space": "level=1..4 wavelet=haar,sym2"}


def test_a_grid_is_all_of_its_combinations() -> None:
    tuning = TuningSettings(search="grid", **SPACE)
    assert tuning.trials == 8
    found = [space.grid_point(tuning.parameters, number) for number in range(8)]
    assert found[:2] == [{"level": 1, "wavelet": "haar"}, {"level": 1, "wavelet": "sym2"}]
    assert len({tuple(each.items()) for each in found}) == 8


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"trials": 0, **SPACE}, "trials must be a whole number, 1 or more"),
        ({"trials": 3}, "space must say what the trials vary"),
        (SPACE, "space needs trials, of which none are given"),
        ({"storage": "sqlite:////x.db"}, "storage needs trials"),
        ({"trials": 10**9, **SPACE}, "trials must be 10,000 at most; given 1000000000"),
        (
            {"search": "grid", "space": "level=1..300 apply_every_batches=1..200"},
            "trials must say how many of the 60,000 combinations are tried",
        ),
        (
            {"search": "grid", "trials": 3, "space": "level=1..1000000000000"},
            "space must have 1,000,000,000 combinations at most; has 1,000,000,000,000",
        ),
        ({"trials": 9, "search": "grid", **SPACE}, "trials must be 8 at most, which the grid has"),
        (
            {"search": "grid", "space": "threshold=0.1..0.2:log"},
            "space must say how many values of a range a grid takes, as threshold=0.1..0.2:log:5",
        ),
        ({"trials": 3, "search": "best", **SPACE}, "search must be one of grid, random, bayesian"),
        ({"trials": 3, "objectives": "bytes,accuracy", **SPACE}, "objectives must be one of"),
        (
            {"trials": 3, "objectives": "accuracy,bytes", "prune_trials": "median", **SPACE},
            "prune_trials must be none with two objectives",
        ),
        ({"trials": 3, "allowed_accuracy_drop": 0.1, **SPACE}, "allowed_accuracy_drop goes with"),
        (
            {"trials": 3, "objectives": "bytes", "allowed_accuracy_drop": 1.0, **SPACE},
            "allowed_accuracy_drop must be a finite number",
        ),
        ({"trials": 3, "storage": "trials.db", **SPACE}, "storage must be the URL of a database"),
        ({"trials": 3, "storage": "journal:", **SPACE}, "storage must be the URL of a database"),
    ],
)
def test_a_search_that_is_none_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(checks.ArgumentError, match=f"^{said}"):
        TuningSettings(**given)
