"""What an ensemble is told: what follows from what, and mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.settings.ensembles import EnsembleSettings
from dwt_keras.settings.studies import StudySettings


def told(**values: Any) -> EnsembleSettings:
    return StudySettings.from_flat(values).ensemble


def test_what_is_filled_in() -> None:
    assert not told().is_wanted
    assert (told(ensemble="bagging").members, told(ensemble="bagging").combine) == (5, "mean")
    boosting = told(ensemble="boosting")
    assert (boosting.combine, boosting.boosting_rate) == ("vote", 1.0)
    named = told(ensemble="wavelets", ensemble_wavelets="Haar,db,none")
    assert (named.members, named.ensemble_wavelets) == (3, ("haar", "db1", "none"))
    assert told(ensemble="wavelets", members=2).ensemble_wavelets == ("haar", "sym2")
    assert told(ensemble="bagging", members=1).members == 1


@pytest.mark.parametrize("kind", ["bagging", "boosting", "wavelets"])
def test_settings_come_back_from_what_a_study_writes(kind: str) -> None:
    study = StudySettings.from_flat({"ensemble": kind, "members": 3})
    assert StudySettings.from_flat(study.flat()) == study


def test_snapshots_share_the_epochs() -> None:
    settings = Settings.from_flat({"epochs": 8, "init": "a.keras", "head_epochs": 2})
    found = [told(ensemble="snapshot", members=3).of_member(settings, n) for n in (1, 2, 3)]
    assert [each.training.epochs for each in found] == [3, 3, 2]
    assert {each.optimization.learning_rate_schedule for each in found} == {"cosine"}
    assert [each.transfer.head_epochs for each in found] == [2, 0, 0]
    assert all(each.freezes_batch_norm for each in found)


def test_members_differ_in_wavelet() -> None:
    settings = Settings.from_flat({"target_bytes": 5000})
    ensemble = told(ensemble="wavelets", ensemble_wavelets="sym2,none")
    found = [ensemble.of_member(settings, number).compression for number in (1, 2)]
    assert [each.wavelet for each in found] == ["sym2", "none"]
    assert {each.target_bytes for each in found} == {5000}


MISTAKES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"ensemble": "bagging", "members": 0}, {}, "members must be a whole number, 1 or more"),
    ({"members": 3}, {}, r"members needs ensemble=bagging\|"),
    ({"combine": "vote"}, {}, "combine needs ensemble="),
    ({"boosting_rate": 0.5}, {}, "boosting_rate needs ensemble="),
    ({"ensemble": "bagging", "boosting_rate": 0.5}, {}, "boosting_rate needs ensemble=boosting"),
    ({"ensemble": "boosting", "boosting_rate": 0.0}, {}, "must be a finite number, above 0"),
    ({"ensemble": "stacking"}, {}, "ensemble must be one of bagging, boosting"),
    ({"ensemble": "bagging", "combine": "median"}, {}, "combine must be one of mean, vote"),
    ({"ensemble": "bagging", "ensemble_wavelets": "haar"}, {}, "needs ensemble=wavelets"),
    (
        {"ensemble": "wavelets", "members": 3, "ensemble_wavelets": "haar,sym2"},
        {},
        "as many wavelets as there are members, 3; given haar,sym2",
    ),
    ({"ensemble": "wavelets", "members": 9}, {}, "must be given for more than 8 members"),
    ({"ensemble": "wavelets", "ensemble_wavelets": "haar,HAAR"}, {}, "given 'HAAR' twice"),
    ({"ensemble": "wavelets", "ensemble_wavelets": "haar,foo"}, {}, "given 'foo'"),
    (
        {"ensemble": "wavelets", "ensemble_wavelets": "haar,mexh"},
        {"threshold_rule": "quantile", "threshold": 0.5, "hold_support": True},
        "of the member in mexh",
    ),
    ({"ensemble": "snapshot", "members": 11}, {}, "members must be at most the epochs, 10"),
    (
        {"ensemble": "snapshot"},
        {"learning_rate_schedule": "step"},
        "learning_rate_schedule must be cosine beside ensemble=snapshot",
    ),
    (
        {"ensemble": "snapshot"},
        {"early_stopping_patience_epochs": 2},
        "early_stopping_patience_epochs must not be given beside ensemble=snapshot",
    ),
    (
        {"ensemble": "snapshot"},
        {"ramp": "linear", "ramp_end_epoch": 8},
        r"must not lie beyond the last epoch, 2; given 8 \(snapshot 1 has 2 of the epochs\)",
    ),
    ({"ensemble": "bagging"}, {"max_accuracy_drop": 0.01}, "max_accuracy_drop must not be given"),
    ({"ensemble": "bagging"}, {"distribute": "multiworker"}, "distribute must be none or mirrored"),
]


@pytest.mark.parametrize(("study", "settings", "message"), MISTAKES)
def test_mistakes_are_one_line(
    study: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(checks.ArgumentError, match=message) as raised:
        StudySettings.from_flat(study).check_beside(Settings.from_flat(settings))
    assert "\n" not in str(raised.value)
