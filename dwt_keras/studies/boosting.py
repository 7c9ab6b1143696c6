"""SAMME, AdaBoost for many classes: how members and samples are weighted.

Zhu, Zou, Rosset and Hastie 2009, "Multi-class AdaBoost", Statistics and Its Interface 2, 349-360,
doi:10.4310/SII.2009.v2.n3.a8, algorithm 2. Importing this loads NumPy alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float64]

# The least error that is believed, in samples: a member that gets all of them right would have all
# the weight there is.
_LEAST_WRONG = 0.5


class Samme:
    """The weights of samples, from one member to the next.

    A member that is no better than chance gets the weight 0, and the weights of the samples begin
    anew: the next member is trained as the first one was, from another seed.

    Args:
        samples: How many samples there are.
        classes: How many classes.
        rate: How fast the weights of samples change; 1 as in the paper.

    Attributes:
        sample_weights: What each sample counts, 1 in the mean, of shape (samples,).
        member_weights: What each member so far counts, 0 or more.
    """

    def __init__(self, samples: int, classes: int, rate: float = 1.0) -> None:
        self._classes, self._rate = classes, rate
        self.sample_weights: Weights = np.ones(samples)
        self.member_weights: list[float] = []

    def add(self, is_wrong: npt.NDArray[Any]) -> float:
        """Takes a member that was trained with these weights.

        With the weighted share of what it gets wrong, e, and K classes, it counts

            log((1 - e) / e) + log(K - 1)

        and samples that it gets wrong count more by that times the rate, in the exponent.

        Args:
            is_wrong: Whether it gets each sample wrong, of shape (samples,).

        Returns:
            The weighted error, 0 to 1.
        """
        samples = len(self.sample_weights)
        error = float(self.sample_weights @ is_wrong) / samples
        if error >= 1.0 - 1.0 / self._classes:
            self.member_weights.append(0.0)
            self.sample_weights = np.ones(samples)
            return error
        believed = max(error, _LEAST_WRONG / samples)
        weight = math.log((1.0 - believed) / believed) + math.log(self._classes - 1.0)
        self.member_weights.append(weight)
        grown = self.sample_weights * np.exp(self._rate * weight * is_wrong)
        self.sample_weights = grown * (samples / grown.sum())
        return error
