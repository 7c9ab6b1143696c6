"""Kernels that are sparse in a known basis, and kernels that are in none."""

from __future__ import annotations

import numpy as np

from dwt_keras.wavelet.basis import Basis

UNITS = 40
SHAPE = (8, 8, UNITS)
HAAR = Basis("haar", 2, (0, 1), SHAPE)
PACKETS = Basis("haar", 2, (0, 1), SHAPE, ("", "aa", "ad", "da", "dd"))
EVERY_RULE = [
    {"threshold": 0.3},
    {"threshold_rule": "relative", "threshold": 0.3},
    {"threshold_rule": "quantile", "threshold": 0.9},
    {"threshold_rule": "universal"},
    {"threshold_rule": "bayes"},
    {"threshold_rule": "sure"},
]


def sparse_in(basis, seed=0):
    """A kernel of a Dense layer with few large coefficients in a basis."""
    rng = np.random.default_rng(seed)
    coefficients = 0.01 * rng.standard_normal(SHAPE)
    large = rng.random(SHAPE) < 0.06
    coefficients[large] += rng.choice([-1, 1], large.sum()) * rng.uniform(0.5, 1, large.sum())
    return basis.reconstruct(coefficients, (64, UNITS), np.float32)


def noise(scale=0.2):
    return (scale * np.random.default_rng(1).standard_normal((64, UNITS))).astype(np.float32)
