"""The comparison of rate_accuracy.py on 1-D signals: two UCR sets that the package aeon bundles.

    pip install --no-deps aeon pandas packaging
    python benchmarks/rate_signals.py

GunPoint (150 samples a series, 50 series to train, 150 to test) and ItalyPowerDemand (24, 67 and
1029), each with a Dense network (64 units over the flattened series) and with two Conv1D layers of
long kernels. Equal epochs for all; test accuracy, mean over the seeds, of weights decoded from the
file; whole files of weights alone. The test part reports; nothing was chosen by it, and there is no
validation part, which such small sets could not spare.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from aeon.datasets import load_gunpoint, load_italy_power_demand
from keras import layers

from dwt_keras import DWTCompression, load_compressed_weights, save_compressed
from dwt_keras.views.tables import table

SETS = {"GunPoint": load_gunpoint, "ItalyPowerDemand": load_italy_power_demand}
SHARES = (0.01, 0.02, 0.04)
STEPS = 1500
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    lines = [("set", "network", "basis", "bytes", "test accuracy", "s.e.", "bases chosen")]
    for name, load in SETS.items():
        data = signals(load)
        for network in ("dense", "conv"):
            whole = 4 * built(network, data[0].shape[1]).count_params()
            for wavelet, share in [
                (None, 1.0),
                *((w, s) for s in SHARES for w in ("auto", "none")),
            ]:
                records = [
                    trained(network, data, wavelet, round(share * whole) + 200, seed)
                    for seed in range(options.seeds)
                ]
                accuracies = [record["test_accuracy"] for record in records]
                bases = dict.fromkeys(basis for record in records for basis in record["bases"])
                lines.append(
                    (
                        name,
                        network,
                        wavelet or "dense control",
                        f"{statistics.mean(record['bytes'] for record in records):,.0f}",
                        f"{statistics.mean(accuracies):.4f}",
                        f"{standard_error(accuracies):.4f}",
                        ", ".join(bases),
                    )
                )
                print(" | ".join(lines[-1]), flush=True)
    print()
    print(table(lines, right_from=3))


def standard_error(values: list[float]) -> float:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def signals(load: Any) -> tuple[np.ndarray, ...]:
    """Series of shape (count, samples, 1) and their classes: of the training and the test part."""
    parts: list[np.ndarray] = []
    for split in ("train", "test"):
        series, classes = load(split=split)
        parts.append(np.moveaxis(np.asarray(series, np.float32), 1, 2))
        parts.append(np.unique(classes, return_inverse=True)[1].astype(np.int32))
    return tuple(parts)


def built(network: str, samples: int) -> keras.Model:
    if network == "dense":
        body = [layers.Flatten(), layers.Dense(64, activation="relu")]
    else:
        length = min(32, samples // 3)
        body = [
            layers.Conv1D(32, length, padding="same", activation="relu"),
            layers.Conv1D(32, length, padding="same", activation="relu"),
            layers.GlobalAveragePooling1D(),
        ]
    return keras.Sequential(
        [keras.Input((samples, 1)), *body, layers.Dense(2, activation="softmax")]
    )


def trained(
    network: str, data: tuple[np.ndarray, ...], wavelet: str | None, size: int, seed: int
) -> dict[str, Any]:
    """One training; without a wavelet the dense control."""
    x, y, test_x, test_y = data
    keras.utils.set_random_seed(seed)
    model = built(network, x.shape[1])
    steps = -(-len(x) // BATCH)
    epochs = STEPS // steps
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps * epochs)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    compression = None
    if wavelet is not None:
        compression = DWTCompression(wavelet, target_bytes=size)
    callbacks = [] if compression is None else [compression]
    model.fit(x, y, epochs=epochs, batch_size=BATCH, callbacks=callbacks, verbose=0)
    written, bases = 4 * model.count_params(), []
    if compression is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.dwtz")
            kernels = compression.targets
            written = save_compressed(model, path, kernels=kernels, with_architecture=False)
            load_compressed_weights(path, model)
        bases = [str(kernel.basis) for kernel in kernels if kernel.axes]
    _, accuracy = model.evaluate(test_x, test_y, verbose=0)
    return {"bytes": written, "test_accuracy": accuracy, "bases": bases}


if __name__ == "__main__":
    main()
