"""Decompose, threshold, reconstruct: against plain PyWavelets, and a whole model's kernels.

    python benchmarks/transform.py

The first table times the three steps on one array, in one run, against `pywt.wavedec2`,
`pywt.threshold` and `pywt.waverec2` (mode periodization), and in copies of the array; each figure
is the fastest of several repetitions, the two sides in turns. The second shrinks the kernels of
ResNet-50, untrained, as the callback does once an epoch. Memory is what the process' peak rises
by, from /proc (Linux only).
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pywt

from dwt_keras import compiled
from dwt_keras.views.tables import table
from dwt_keras.wavelet import threshold, transform

CASES = [
    ((2048, 2048), (0, 1), "haar", 1),
    ((2048, 2048), (0, 1), "haar", 3),
    ((28, 28, 128), (0, 1), "haar", 3),
    ((28, 28, 128), (0, 1), "sym2", 2),
    ((3, 3, 512, 512), (2, 3), "haar", 1),
    ((3, 3, 512, 512), (2, 3), "bior4.4", 2),
    ((7, 7, 512, 512), (0, 1), "bior4.4", 2),
    ((25088, 1024), (0, 1), "sym2", 2),
]
THRESHOLD = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--no_model", action="store_true", help="the first table only")
    options = parser.parse_args()
    # PyWavelets finds these levels too deep; its periodization works nevertheless.
    warnings.filterwarnings("ignore", message="Level value")
    print(f"{compiled.threads()} cores")
    print(arrays(options.repetitions))
    if not options.no_model:
        print()
        print(model(options.repetitions))


def arrays(repetitions: int) -> str:
    """The first table."""
    rows = [
        ("array", "wavelet", "pywt, ms", "here, ms", "times faster", "copies", "memory, arrays")
    ]
    ratios = []
    for shape, axes, wavelet, level in CASES:
        array = np.random.default_rng(0).standard_normal(shape, np.float32) * 0.1
        ours, theirs = step(array, axes, wavelet, level), plain(array, axes, wavelet, level)
        seconds = fastest([ours, theirs, array.copy], repetitions)
        ratios.append(seconds[1] / seconds[0])
        rows.append(
            (
                "x".join(map(str, shape)) + " over " + ",".join(map(str, axes)),
                f"{wavelet} {level}",
                f"{1e3 * seconds[1]:.2f}",
                f"{1e3 * seconds[0]:.2f}",
                f"{ratios[-1]:.1f}",
                f"{seconds[0] / seconds[2]:.1f}",
                f"{peak(ours) / array.nbytes:.1f}" if array.nbytes > 1e6 else "",
            )
        )
    mean = statistics.geometric_mean(ratios)
    rows.append(("geometric mean", "", "", "", f"{mean:.1f}", "", ""))
    return table(rows, right_from=2)


def step(array: Any, axes: tuple[int, ...], wavelet: str, level: int) -> Callable[[], Any]:
    """The three steps of this project, as a shrinking makes them."""

    def run() -> Any:
        coefficients = transform.decompose(array, wavelet, level, axes)
        threshold.shrink_in_place(coefficients, THRESHOLD)
        return transform.reconstruct(coefficients, wavelet, level, axes, overwrite=True)

    return run


def plain(array: Any, axes: tuple[int, ...], wavelet: str, level: int) -> Callable[[], Any]:
    """The three steps of PyWavelets."""

    def run() -> Any:
        mode = "periodization"
        approximation, *details = pywt.wavedec2(array, wavelet, mode, level, axes)
        shrunk = [pywt.threshold(approximation, THRESHOLD, "hard")] + [
            tuple(pywt.threshold(band, THRESHOLD, "hard") for band in bands) for bands in details
        ]
        return pywt.waverec2(shrunk, wavelet, mode, axes)

    return run


def model(repetitions: int) -> str:
    """The second table."""
    import keras

    from dwt_keras.compression import shrink, targets
    from dwt_keras.settings import CompressionSettings

    network = keras.applications.ResNet50(weights=None)
    rows = [("ResNet-50's kernels", "weights", "seconds", "memory, largest kernels")]
    for name, settings in {
        "haar 1, absolute": CompressionSettings("haar", threshold=0.01),
        "sym2 2, quantile": CompressionSettings(
            "sym2", level=2, threshold=0.9, threshold_rule="quantile"
        ),
        "sym2 2, bayes": CompressionSettings("sym2", level=2, threshold_rule="bayes"),
    }.items():
        found = targets.find(network, settings).items
        sizes = [math.prod(target.basis.shape) for target in found]

        def run(settings: Any = settings, found: Any = found) -> None:
            for target in shrink.shrink(found, settings):
                shrink.digest(target)

        run()
        rows.append(
            (
                name,
                f"{sum(sizes):,}",
                f"{fastest([run], repetitions)[0]:.2f}",
                f"{peak(run) / (4 * max(sizes)):.1f}",
            )
        )
    return table(rows, right_from=1)


def fastest(runs: list[Callable[[], Any]], repetitions: int) -> list[float]:
    """The least seconds of each, taken in turns."""
    seconds = [math.inf] * len(runs)
    for _ in range(repetitions):
        for index, run in enumerate(runs):
            started = time.perf_counter()
            run()
            seconds[index] = min(seconds[index], time.perf_counter() - started)
    return seconds


def peak(run: Callable[[], Any]) -> float:
    """How many bytes the process grows by while it runs, at the most."""
    give_back_memory()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # Sets the peak back to what is there now.
    run()
    return memory("VmHWM") - before


def give_back_memory() -> None:
    """Freed memory that the allocator keeps would hide what is needed."""
    import ctypes
    import gc

    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def memory(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024.0 * int(line.split()[1])
    raise RuntimeError(f"no {name} in /proc/self/status")


if __name__ == "__main__":
    main()
