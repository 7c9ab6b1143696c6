"""Thresholding of coefficients: how they shrink. How the threshold is chosen: `rules`.

The shrinking functions are PyWavelets' (`pywt.threshold`, `pywt.threshold_firm`) without their
traps: threshold zero is exactly the identity, and thresholds that make no sense are refused.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras import checks
from dwt_keras.compiled import compiled, in_parallel
from dwt_keras.wavelet.transform import working_dtype

Array = npt.NDArray[Any]


MODES = ("hard", "soft", "garrote", "firm")
_HARD, _SOFT, _GARROTE, _FIRM = range(4)

# Elements below which a second thread does not pay.
_PARALLEL = 1 << 17


def shrink(coefficients: Array, threshold: float, mode: str = "hard") -> Array:
    """Sets small coefficients to zero and, by mode, draws the others towards it.

    With t the threshold, a coefficient x becomes

    * hard: x where |x| >= t (Donoho and Johnstone 1994, doi:10.1093/biomet/81.3.425)
    * soft: sign(x) max(|x| - t, 0) (the same)
    * garrote: x - t^2 / x where |x| > t (Gao 1998, doi:10.1080/10618600.1998.10474789)
    * firm: x where |x| >= 2 t, sign(x) 2 (|x| - t) where t < |x| < 2 t
      (Gao and Bruce 1997, https://www3.stat.sinica.edu.tw/statistica/j7n4/j7n43/j7n43.htm)

    and zero elsewhere. Complex coefficients keep their phase: |x| becomes what it would be.

    Args:
        coefficients: Any shape, floating or complex. Not changed. NaN stays NaN.
        threshold: t, finite and not negative; 0 is exactly the identity in every mode.
        mode: hard, soft, garrote or firm.

    Returns:
        New array of the same shape and dtype.

    Raises:
        ArgumentError: On an unknown mode, or a threshold that is negative, NaN or infinite.
    """
    if np.iscomplexobj(coefficients):
        work = coefficients.copy()
    else:
        work = coefficients.astype(working_dtype(coefficients.dtype), order="C", copy=True)
    shrink_in_place(work, threshold, mode)
    return work.astype(coefficients.dtype, copy=False)


def shrink_in_place(coefficients: Array, threshold: float, mode: str = "hard") -> int:
    """Does what `shrink` does in the array itself.

    Args:
        coefficients: Any shape; float32, float64 or complex.
        threshold: As for `shrink`.
        mode: As for `shrink`.

    Returns:
        How many coefficients were changed.

    Raises:
        ArgumentError: As `shrink`.
    """
    index = MODES.index(checks.choice("mode", mode, MODES))
    threshold = checks.real("threshold", threshold, least=0.0)
    if threshold == 0.0:
        return 0
    if np.iscomplexobj(coefficients) or not coefficients.flags.c_contiguous:
        return _shrink_apart(coefficients, threshold, mode)
    # A limit above all numbers is infinite.
    with np.errstate(over="ignore"):
        limit = coefficients.dtype.type(threshold)
    flat = coefficients.reshape(-1)
    changed: list[int] = []
    in_parallel(lambda a, b: changed.append(_shrink(flat[a:b], limit, index)), flat.size, _PARALLEL)
    return sum(changed)


def _shrink_apart(coefficients: Array, threshold: float, mode: str) -> int:
    """The same for complex coefficients, by their magnitudes, and for parts of an array."""
    sizes = np.asarray(np.abs(coefficients))
    shrunk = sizes.copy()
    changed = shrink_in_place(shrunk, threshold, mode)
    if changed:
        # Exactly one where nothing changes.
        coefficients *= np.divide(shrunk, sizes, out=np.zeros_like(sizes), where=sizes != 0)
    return changed


@compiled
def _shrink(x: Array, limit: Any, mode: int) -> int:
    # Comparisons are such that NaN passes through.
    changed = 0
    for i in range(len(x)):
        before = x[i]
        size = abs(before)
        if mode == _HARD:
            if size < limit:
                x[i] = 0
        elif size <= limit:
            x[i] = 0
        elif mode == _SOFT:
            x[i] = math.copysign(size - limit, x[i])
        elif mode == _GARROTE:
            # limit * (limit / x) and not limit**2 / x, which under- and overflows sooner.
            x[i] -= limit * (limit / x[i])
        elif size < limit + limit:
            # Between the bounds t and 2 t the general line u (|x| - t) / (u - t) is 2 (|x| - t).
            x[i] = math.copysign((size - limit) + (size - limit), x[i])
        changed += x[i] != before
    return changed
