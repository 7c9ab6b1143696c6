"""How long networks take for a batch, measured side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Predict = Callable[[Array], object]

# Networks take turns, so that what else the machine does meets them all.
_TURNS = 10
_WARM_UP = 3


@dataclass(frozen=True)
class Latency:
    """What a network takes for a batch.

    Attributes:
        batch_size: Samples in the batch.
        median: Seconds a batch, the median over calls.
        p95: Seconds that 95 % of the calls do not exceed.
        calls: How many there were.
        seconds: How long all together took.
    """

    batch_size: int
    median: float
    p95: float
    calls: int
    seconds: float

    @property
    def throughput(self) -> float:
        """Samples a second over all calls."""
        return self.batch_size * self.calls / self.seconds


def measure(
    networks: Mapping[str, Predict], samples: Array, batch_size: int, seconds: float
) -> dict[str, Latency]:
    """Calls networks in turns with a batch.

    Args:
        networks: By name, each from a batch of inputs to outputs.
        samples: Inputs to take the batch from, again from the first where they are too few.
        batch_size: How many.
        seconds: How long to call each of them, about.
    """
    batch = np.ascontiguousarray(np.resize(samples, (batch_size, *samples.shape[1:])))
    times: dict[str, list[float]] = {name: [] for name in networks}
    for predict in networks.values():
        for _ in range(_WARM_UP):
            predict(batch)
    for _ in range(_TURNS):
        for name, predict in networks.items():
            ends = time.perf_counter() + seconds / _TURNS
            while True:
                started = time.perf_counter()
                predict(batch)
                finished = time.perf_counter()
                times[name].append(finished - started)
                if finished >= ends:
                    break
    return {name: summary(batch_size, each) for name, each in times.items()}


def summary(batch_size: int, times: Sequence[float]) -> Latency:
    """The figures of one network from the seconds that its calls took."""
    return Latency(
        batch_size,
        statistics.median(times),
        float(np.quantile(times, 0.95)),
        len(times),
        sum(times),
    )
