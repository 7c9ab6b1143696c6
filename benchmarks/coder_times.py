"""How fast files are coded, decoded and loaded: coder.py's last two tables."""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import coder_bytes
import coder_sets
import numpy as np
from coder_sets import Set

from dwt_keras import compiled, load_compressed, save_compressed
from dwt_keras.coding import tensors
from dwt_keras.compression import architecture, layout, sections
from dwt_keras.views.tables import table

BARS = {"encode": 10.0, "decode": 40.0}
LOADED_SETS = ("mlp-haar-95", "cnn-haar-95")
MOBILENET_ZEROS = (0.0, 0.95)


def speed(sets: dict[str, Set], repetitions: int) -> str:
    """The table of speeds on one core, in float32 weights.

    The clock is the thread's processor time: what else runs on the core counts little.
    """
    rows: list[tuple[str, ...]] = [("set", "MB", "encode, MB/s", "decode, MB/s")]
    slowest = dict.fromkeys(BARS, math.inf)
    with one_core():
        for name, found in sets.items():
            data = coder_bytes.file_of(found)
            megabytes = 4e-6 * coder_sets.weights(found)
            seconds = turns([encoding(found), decoding(data)], repetitions, time.thread_time)
            rates = [megabytes / min(each) for each in seconds]
            for kind, rate in zip(BARS, rates, strict=True):
                slowest[kind] = min(slowest[kind], rate)
            rows.append((name, f"{megabytes:.3f}", *(f"{rate:.1f}" for rate in rates)))
    rows.append(("slowest", "", *(f"{rate:.1f}" for rate in slowest.values())))
    rows.append(("bar", "", *(f"{bar:.0f}" for bar in BARS.values())))
    return table(rows, right_from=1)


def encoding(found: Set) -> Callable[[], Any]:
    return lambda: tensors.encode(found, layout.grid_of)


def decoding(data: bytes) -> Callable[[], Any]:
    return lambda: [layout.restored(tensor) for tensor in layout.decoded(sections.opened(data))]


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keeps this process on one core, and tells the compiled loops."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    compiled.threads.cache_clear()
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        compiled.threads.cache_clear()


def turns(
    runs: list[Callable[[], Any]],
    repetitions: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[float]]:
    """Seconds of each run, taken in turns after one that is not counted."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(repetitions + 1):
        for run, spent in zip(runs, seconds, strict=True):
            started = clock()
            run()
            spent.append(clock() - started)
    return [spent[1:] for spent in seconds]


def loading(cache: Path, repetitions: int) -> str:
    """The table of seconds until a model is there, and how they are spent."""
    import keras

    rows: list[tuple[str, ...]] = [
        (
            "network",
            "weights",
            "load_compressed, ms",
            "load_model, ms",
            "ratio, fastest",
            "ratio, medians",
            "model, ms",
            "weights, ms",
        )
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for network in LOADED_SETS:
            coder_sets.network(cache, network).save(folder / f"{network}.keras")
            coder_sets.write_network(cache, network, folder / f"{network}.dwtz")
        model = keras.applications.MobileNetV2(weights=None)
        for zeros in MOBILENET_ZEROS:
            network = f"MobileNetV2, {100 * zeros:.0f} % zeros"
            prune(model, zeros)
            model.save(folder / f"{network}.keras")
            save_compressed(model, folder / f"{network}.dwtz", distortion=1e-3)
        for path in sorted(folder.glob("*.dwtz")):
            rows.append((path.stem, *load_row(path, repetitions)))
    return table(rows, right_from=1)


def prune(model: Any, zeros: float) -> None:
    """Sets the smallest weights of each kernel to zero."""
    for variable in model.weights:
        if len(variable.shape) > 1:
            values = np.asarray(variable)
            sizes = np.abs(values)
            variable.assign(np.where(sizes < np.quantile(sizes, zeros), 0.0, values))


def load_row(compact: Path, repetitions: int) -> list[str]:
    """Times a file .dwtz against its neighbour .keras."""
    import keras

    whole = compact.with_suffix(".keras")
    data = compact.read_bytes()
    built = sections.opened(data).parts[sections.ARCHITECTURE]
    weights = load_compressed(compact).count_params()
    ours, theirs, model, values = turns(
        [
            lambda: load_compressed(compact),
            # The model comes uncompiled from both.
            lambda: keras.models.load_model(whole, compile=False),
            lambda: architecture.decode(built, 1 << 30),
            decoding(data),
        ],
        repetitions,
    )
    return [
        f"{weights:,}",
        f"{1e3 * min(ours):.1f}",
        f"{1e3 * min(theirs):.1f}",
        f"{min(ours) / min(theirs):.2f}",
        f"{statistics.median(ours) / statistics.median(theirs):.2f}",
        f"{1e3 * min(model):.1f}",
        f"{1e3 * min(values):.1f}",
    ]
