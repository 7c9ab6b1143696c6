"""What a cross-validation is told, and settings in which its runs differ."""

from __future__ import annotations

from typing import Any

import pytest

from dwt_keras import checks, command_line
from dwt_keras.settings import Settings, changes
from dwt_keras.settings.folds import FoldSettings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import variants

HAAR, PLAIN = "wavelet=haar level=3", "wavelet=none"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"folds": 1}, "folds must be a whole number, 2 or more; given 1"),
        ({"folds": 3, "fold_repeats": 0}, "fold_repeats must be a whole number, 1 or more"),
        ({"fold": 1}, "fold needs folds; given 1 without"),
        ({"fold_repeats": 2}, "fold_repeats needs folds; given 2 without"),
        ({"folds": 3, "fold": 4}, "fold must be within 1 and folds, 3; given 4"),
        ({"folds": 3, "fold": 0}, "fold must be a whole number, 1 or more; given 0"),
        ({"compare": [HAAR, PLAIN]}, "compare needs folds"),
        ({"folds": 3, "compare": [HAAR]}, "compare must be given twice, for two settings; given 1"),
        ({"folds": 3, "compare": [HAAR] * 3}, "compare must be given twice.*given 3"),
        ({"folds": 3, "compare": ["wavelt=haar", PLAIN]}, r"'wavelt' is none \(did you mean wave"),
        ({"folds": 3, "compare": [HAAR, "save_dir=x"]}, "must not change save_dir, which is the"),
        ({"folds": 3, "compare": [HAAR, "seed=1"]}, "compare must not change seed"),
        ({"folds": 3, "compare": [HAAR, "dataset=mnist"]}, "compare must not change dataset"),
        ({"folds": 3, "compare": [HAAR, "level"]}, "compare must be NAME=VALUE of settings"),
        ({"folds": 3, "compare": [HAAR, ""]}, "compare must be NAME=VALUE of settings"),
        ({"folds": 3, "compare": [HAAR, "'x"]}, "compare must be NAME=VALUE of settings"),
        ({"folds": 3, "compare": [HAAR, "epochs=x"]}, "compare must have whole numbers for"),
        (
            {"folds": 3, "compare": [HAAR, "threshold=x"]},
            "compare must have finite numbers",
        ),
        (
            {"folds": 3, "compare": [HAAR, "batch_norm=1"]},
            "must have true or false for",
        ),
        ({"folds": 3, "compare": [HAAR, "level=1 level=2"]}, "compare must give level once"),
        ({"folds": 3, "comparison_test": "wilcoxon"}, "comparison_test needs compare"),
        (
            {"folds": 3, "compare": [HAAR, PLAIN], "comparison_test": "t"},
            "comparison_test must be one of corrected_t, wilcoxon; given 't'",
        ),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(checks.ArgumentError, match=message):
        FoldSettings(**values)


def test_a_search_compares_by_itself() -> None:
    told = {"folds": 3, "compare": [HAAR, PLAIN], "trials": 2, "space": "level=1..2"}
    with pytest.raises(checks.ArgumentError, match="compare must not be given beside trials"):
        StudySettings.from_flat(told)


def test_changes_are_read_as_flags_would_be() -> None:
    found = changes.parse("compare", "level=2 threshold=0.1 batch_norm=true init='a b.keras'")
    assert found == {"level": 2, "threshold": 0.1, "batch_norm": True, "init": "a b.keras"}
    settings = Settings.from_flat(changes.parse("compare", "level=2 hidden_units=4,5"))
    assert (settings.compression.level, settings.training.hidden_units) == (2, (4, 5))
    # As in a space, what may be left out can be.
    assert changes.parse("compare", "dropout=none level=max") == {"dropout": None, "level": "max"}


def compared(base: dict[str, Any], *texts: str) -> list[Settings]:
    told = FoldSettings(folds=2, compare=texts)
    return [each.settings for each in variants.of(Settings.from_flat(base), told)]


def test_what_nobody_gave_is_filled_in_anew() -> None:
    threshold, size = compared({"epochs": 4}, "threshold=0.1", "target_bytes=900")
    assert (threshold.compression.wavelet, threshold.compression.threshold) == ("haar", 0.1)
    assert (size.compression.wavelet, size.compression.threshold) == ("auto", None)
    assert size.optimization.learning_rate_schedule == "cosine"
    assert threshold.optimization.learning_rate_schedule == "constant"
    assert threshold.training.epochs == size.training.epochs == 4
    # What was given stays.
    _, auto = compared({"level": 1}, "wavelet=haar", "wavelet=auto")
    assert auto.compression.level == 1
    _, auto = compared({}, "wavelet=haar", "wavelet=auto")
    assert auto.compression.level == "auto"


def test_settings_that_come_to_the_same_are_refused() -> None:
    with pytest.raises(checks.ArgumentError, match="'wavelet=haar' and 'level=1' are the same"):
        compared({}, "wavelet=haar", "level=1")


def test_values_out_of_range_say_where_they_stand() -> None:
    with pytest.raises(checks.ArgumentError, match=r"^compare 'wavelet=sym99': wavelet must be"):
        compared({}, "wavelet=haar", "wavelet=sym99")


def test_a_flag_may_come_twice() -> None:
    fields = StudySettings.flat_fields()
    values, _ = command_line.parse(["x", f"--compare={HAAR}", f"--compare={PLAIN}"], fields)
    assert values is not None
    assert values["compare"] == [HAAR, PLAIN]
    assert command_line.parse(["x"], fields)[0] == {
        name: field.default for name, field in fields.items()
    }


def test_a_fold_is_no_part_of_what_a_study_is() -> None:
    shared = StudySettings.from_flat({"folds": 3, "fold": 2})
    assert shared.is_shared
    assert shared.common() == StudySettings.from_flat({"folds": 3}).common()
