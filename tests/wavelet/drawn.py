"""Coefficients that are drawn at random."""

from __future__ import annotations

import math

import numpy as np

from dwt_keras.wavelet.threshold import shrink

REAL = [np.float32, np.float64]
COMPLEX = [np.complex64, np.complex128]


def draw(shape, dtype, scale=1.0, seed=0):
    """Noise with E|c|^2 = scale^2."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(shape)
    if np.issubdtype(dtype, np.complexfloating):
        noise = (noise + 1j * rng.standard_normal(shape)) / math.sqrt(2)
    return np.asarray(noise * scale, dtype)


def zeroed(x, threshold):
    """How many coefficients hard thresholding leaves at zero."""
    if np.iscomplexobj(x):
        with np.errstate(over="ignore"):
            return np.count_nonzero((np.abs(x) < x.real.dtype.type(threshold)) | (x == 0))
    return np.count_nonzero(shrink(x, threshold) == 0)
