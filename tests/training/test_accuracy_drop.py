"""The search for the smallest file within a loss of accuracy, and its dense control."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwt_keras.settings import CompressionSettings, Settings
from dwt_keras.training import accuracy_drop, control, data, epochs
from dwt_keras.training.accuracy_drop import Trial


def searched(accuracy, goal, first, allowed=0.01):
    trials: list[Trial] = []
    accuracy_drop.search(lambda size: Trial(size, accuracy(size)), goal, allowed, first, trials)
    return trials


@given(
    st.floats(0.002, 0.03),  # Accuracy an octave.
    st.integers(300, 50_000),
    st.integers(300, 50_000),
)
def test_a_line_is_followed_to_its_goal(slope, needed, first):
    trials = searched(lambda size: 0.88 + slope * math.log2(size / needed), 0.88, first)
    assert 1 <= len(trials) <= accuracy_drop.TRIALS
    assert len({trial.size for trial in trials}) == len(trials)
    best = accuracy_drop.choose(trials, 0.88)
    if 1 / 64 < first / needed < 64:
        assert best.validation_accuracy >= 0.88
        assert best.size <= max(2 * needed, first)


def test_a_search_ends_once_the_goal_is_closely_enclosed():
    trials = searched(lambda size: 0.9 if size >= 1000 else 0.8, 0.85, 1000)
    assert len(trials) == accuracy_drop.TRIALS
    assert accuracy_drop.choose(trials, 0.85).size >= 1000
    sizes = iter([1100, 1000])
    trials = []
    accuracy_drop.search(
        lambda _: Trial(size := next(sizes), 0.9 if size > 1050 else 0.8), 0.85, 0.01, 1, trials
    )
    assert len(trials) == 2


def test_where_none_reaches_the_goal_the_most_accurate_is_chosen():
    tried = [Trial(2000, 0.95), Trial(800, 0.8), Trial(1200, 0.91)]
    assert accuracy_drop.choose(tried, 0.9) is tried[2]
    assert accuracy_drop.choose(tried, 0.99) is tried[0]


def test_no_size_is_tried_below_the_least():
    trials: list[Trial] = []
    accuracy_drop.search(lambda size: Trial(size, 0.9), 0.5, 0.4, 700, trials, least=300)
    assert [trial.size for trial in trials] == [700, 300]


def test_noise_does_not_turn_the_search_round():
    """The larger network happens to be the less accurate one: still larger ones are tried."""
    known = {1000: 0.85, 2000: 0.849}
    trials = [Trial(size, accuracy) for size, accuracy in known.items()]
    assert accuracy_drop._next(trials, 0.87, 0.01) > 2000


@pytest.mark.parametrize(
    ("accuracies", "chosen"),
    [({500: 0.8, 1000: 0.9, 2000: 0.95}, 1000), ({500: 0.5, 1000: 0.7, 2000: 0.6}, 1000)],
)
def test_the_smallest_that_is_good_enough_or_the_best(accuracies, chosen):
    trials = [Trial(size, accuracy) for size, accuracy in accuracies.items()]
    assert accuracy_drop.choose(trials, 0.9).size == chosen


@pytest.fixture
def settings(tmp_path):
    return Settings.from_flat(
        {"max_accuracy_drop": 0.02, "epochs": 1, "hidden_units": "4", "save_dir": str(tmp_path)}
    )


def test_a_control_is_trained_once(settings, monkeypatch):
    dataset = data.load(settings.data)
    first = control.dense(settings, dataset)
    assert (first.folder / "model.keras").is_file()
    assert 0 < first.validation_accuracy < 1
    trained = []
    original = epochs.fit_plainly
    monkeypatch.setattr(epochs, "fit_plainly", lambda *given: trained.append(1) or original(*given))
    assert control.dense(settings, dataset) == first
    assert not trained
    other = Settings.from_flat({**settings.flat(), "seed": 1})
    assert control.dense(other, dataset).folder != first.folder
    assert len(trained) == 1
    # A record that is not whole is none.
    (first.folder / "control.json").write_text(json.dumps({"validation_accuracy": 0.5}))
    assert control.dense(settings, dataset) == first
    assert len(trained) == 2


@pytest.mark.parametrize("control", [0.85, 0.91, 0.97])
def test_a_loss_of_exactly_what_is_allowed_is_within(control: float) -> None:
    """As float32 has them, 0.85 and 0.84 are further apart than 0.01."""
    record = {"accuracy_drop": {"control_validation_accuracy": float(np.float32(control))}}
    settings = Settings(compression=CompressionSettings(max_accuracy_drop=0.01))
    accuracy_drop.judge(record, float(np.float32(control - 0.01)), settings)
    assert record["accuracy_drop"]["within"]
    accuracy_drop.judge(record, float(np.float32(control - 0.0101)), settings)
    assert not record["accuracy_drop"]["within"]
