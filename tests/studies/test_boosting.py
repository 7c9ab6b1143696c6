"""SAMME: weights of members and samples, as the paper and scikit-learn have them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

from dwt_keras.studies.boosting import Samme


def test_one_round_by_hand() -> None:
    samme = Samme(samples=4, classes=3)
    error = samme.add(np.array([True, False, False, False]))
    assert error == 0.25
    (weight,) = samme.member_weights
    assert weight == pytest.approx(math.log(3.0) + math.log(2.0))
    # The wrong one has grown by the exponential of that, 6 times, and the mean is 1 again.
    np.testing.assert_allclose(samme.sample_weights, 4 * np.array([6, 1, 1, 1]) / 9)


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_as_scikit_learn(rate: float) -> None:
    inputs, labels = load_digits(return_X_y=True)
    tree = DecisionTreeClassifier(max_depth=3)
    theirs = AdaBoostClassifier(tree, n_estimators=6, learning_rate=rate, random_state=0)
    theirs.fit(inputs, labels)
    samme = Samme(len(labels), classes=10, rate=rate)
    errors = [samme.add(tree.predict(inputs) != labels) for tree in theirs.estimators_]
    np.testing.assert_allclose(errors, theirs.estimator_errors_, rtol=1e-9)
    # There members count by the rate too, which cancels.
    weights = rate * np.array(samme.member_weights)
    np.testing.assert_allclose(weights, theirs.estimator_weights_, rtol=1e-9)


def test_no_better_than_chance_counts_nothing_and_begins_anew() -> None:
    samme = Samme(samples=10, classes=2)
    samme.add(np.arange(10) < 2)
    error = samme.add(np.arange(10) < 2)  # With the half of all weight that those have now.
    assert error == pytest.approx(0.5)
    assert samme.member_weights[1] == 0.0
    np.testing.assert_array_equal(samme.sample_weights, np.ones(10))


def test_no_mistake_counts_as_half_of_one() -> None:
    samme = Samme(samples=100, classes=10)
    assert samme.add(np.zeros(100, bool)) == 0.0
    assert samme.member_weights == [pytest.approx(math.log(199.0) + math.log(9.0))]
    np.testing.assert_allclose(samme.sample_weights, np.ones(100))
