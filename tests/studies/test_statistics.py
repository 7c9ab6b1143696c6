"""What is said of figures over folds, against published and hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC

from dwt_keras.studies import statistics


def test_the_corrected_t_gives_what_scikit_learns_example_publishes() -> None:
    """Its example "Statistical comparison of models using grid search" has t 0.750, p 0.227.

    That p is one-sided; the example's first model is the support vector machine with a Gaussian
    kernel, its second the one with a linear kernel.
    """
    inputs, labels = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    scores = [
        cross_val_score(SVC(kernel=kernel), inputs, labels, scoring="roc_auc", cv=folds)
        for kernel in ("rbf", "linear")
    ]
    found = statistics.compare(*scores, 10 / 90, "corrected_t")
    assert found.p == pytest.approx(2 * 0.227, abs=0.001)
    # The interval is as many standard errors wide as the quantile of t with 99 degrees says.
    error = (found.high - found.low) / 2 / 1.98422
    assert found.difference / error == pytest.approx(0.750, abs=0.001)
    assert not found.is_significant


def test_the_corrected_t_by_hand() -> None:
    first, second = [0.95, 0.93, 0.96, 0.94, 0.97], [0.94, 0.90, 0.94, 0.92, 0.95]
    found = statistics.compare(first, second, 1 / 4, "corrected_t")
    # Differences 1, 3, 2, 2, 2 hundredths: mean 2, variance 0.5; (1/5 + 1/4) * 0.5 = 0.225;
    # t = 2 / 0.474342 = 4.216370; with 4 degrees of freedom p = 0.013512, and the interval
    # reaches 2.776445 * 0.474342 = 1.316985 to either side.
    assert found.difference == pytest.approx(0.02)
    assert found.p == pytest.approx(0.013512, abs=1e-5)
    assert (found.low, found.high) == pytest.approx((0.00683015, 0.03316985), abs=1e-7)
    assert (found.pairs, found.note, found.is_significant) == (5, "", True)
    other = statistics.compare(second, first, 1 / 4, "corrected_t")
    assert (other.difference, other.p) == pytest.approx((-found.difference, found.p))


def test_a_summary_by_hand() -> None:
    found = statistics.summary([1.0, 2.0, 3.0], 0.5)
    assert (found.mean, found.deviation) == (2.0, 1.0)
    # 4.302653 * sqrt(1/3 + 1/2)
    assert (found.low, found.high) == pytest.approx((2 - 3.927767, 2 + 3.927767), abs=1e-5)
    cut = statistics.summary([1.0, 2.0, 3.0], 0.5, 0.0, 4.0)
    assert (cut.low, cut.high) == (0.0, 4.0)


def test_differences_that_are_all_the_same_decide_nothing() -> None:
    # 0.1 + 0.2 and the like: equal but for rounding.
    found = statistics.compare([0.3, 0.8, 0.4], [0.2, 0.7, 0.3], 0.5, "corrected_t")
    assert found.p is None
    assert "the same in all folds" in found.note
    assert not found.is_significant


def test_wilcoxon_of_six_pairs_is_exact_with_ties_too() -> None:
    ones = np.zeros(6)
    found = statistics.compare([1, 2, 3, 4, 5, 6], ones, 0.2, "wilcoxon")
    assert found.p == pytest.approx(2 / 64)
    assert (found.is_significant, found.note) == (True, "")
    tied = statistics.compare([1, 1, 1, 1, 1, 1], ones, 0.2, "wilcoxon")
    assert tied.p == pytest.approx(2 / 64)
    # Wilcoxon (1945), with the smallest difference negative: sums of ranks 1 and 20; 4 of 64
    # arrangements are as far out: those with a sum of 0 or 1, at either end.
    found = statistics.compare([-1, 2, 3, 4, 5, 6], ones, 0.2, "wilcoxon")
    assert found.p == pytest.approx(4 / 64)


def test_wilcoxon_says_where_there_are_too_few_pairs() -> None:
    found = statistics.compare([1, 2, 3, 4, 5], np.zeros(5), 0.25, "wilcoxon")
    assert found.p == pytest.approx(2 / 32)
    assert not found.is_significant
    assert "5 folds with a difference are too few: the smallest p" in found.note
    assert "0.062" in found.note
    same = statistics.compare([1, 2], [1, 2], 1.0, "wilcoxon")
    assert (same.p, same.note) == (None, "there is no difference in any fold")
