"""The counting loop of the quantile rule, compiled: it needs no temporary arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras.compiled import compiled

DIGIT_BITS = 16


@compiled
def count_digits(
    patterns: npt.NDArray[Any], mask: Any, shift: Any, prefix: Any, counts: npt.NDArray[np.int64]
) -> None:
    """Counts the values of one digit of those patterns whose higher digits are a given prefix.

    Args:
        patterns: uint32 or uint64, one contiguous axis.
        mask: Bits that count, of the patterns' dtype as the next two (mixed ones would make
            floats of uint64).
        shift: Bits below the digit.
        prefix: The bits above the digit that are wanted, followed by a digit of zeros.
        counts: Counts by digit, 65536; those found are added.
    """
    for i in range(patterns.shape[0]):
        digit = ((patterns[i] & mask) >> shift) ^ prefix
        # Any higher bit left says that the prefix is another.
        if digit < 65536:
            counts[digit] += 1
