"""What training for bytes is made of: the 784-128-10 network with one choice changed at a time.

    python benchmarks/training_for_bytes.py --data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES \\
        [--only=haar] [--target_bytes=1200]

Trains on the first 50,000 images of the training file and reports on its last 10,000: these figures
are for making choices by, and the test part must not choose. "Margin" is the accuracy above a line
through fixed sizes and accuracies (`LINE`), in points, so that files of unequal size can be
compared. Files of weights alone, as decoded.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from dwt_keras import DWTCompression, load_compressed_weights, save_compressed
from dwt_keras.settings import DataSettings, Settings
from dwt_keras.training import data, models, optimizers
from dwt_keras.views.tables import table

EPOCHS = 30
HELD_OUT = 10_000
LINE = ((1_000, 0.843), (1_700, 0.858), (2_900, 0.873), (4_700, 0.880), (11_000, 0.890))

CHOSEN: dict[str, Any] = {"wavelet": "auto", "target_bytes": 2_900}
PACKAGE = "dwt_keras.compression"
# Row -> what is different: `patch` for constants of modules, `training` for the optimisation, the
# rest for the callback.
ROWS: dict[str, dict[str, Any]] = {
    "as chosen": {},
    "none": {"wavelet": "none"},
    "haar 1": {"wavelet": "haar", "level": 1},
    "haar 3": {"wavelet": "haar", "level": 3},
    "sym4 1": {"wavelet": "sym4", "level": 1},
    "sym4 2": {"wavelet": "sym4", "level": 2},
    "bior4.4 1": {"wavelet": "bior4.4", "level": 1},
    "bior4.4 2": {"wavelet": "bior4.4", "level": 2},
    "quantised in every step": {"patch": {"latent.STEPS_AT_ONCE": 1}},
    "quantised in every eighth step": {"patch": {"latent.STEPS_AT_ONCE": 8}},
    "quantised from 20 % on": {"patch": {"schedule._QUANTISED_SHARE": 0.2}, "ramp_end_epoch": 6},
    "ramp over 30 %": {"ramp_end_epoch": 9},
    "step 0.35 of the mean magnitude": {"patch": {"budget._STEP_SHARE": 0.35}},
    "step 0.8 of the mean magnitude": {"patch": {"budget._STEP_SHARE": 0.8}},
    "constant learning rate": {"training": {"learning_rate_schedule": "constant"}},
    "learning rate 0.002": {"training": {"learning_rate": 0.002}},
    "batch 64": {"training": {"batch_size": 64}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--target_bytes", type=int, default=CHOSEN["target_bytes"])
    parser.add_argument("--only", default="", help="rows whose names have this in them")
    options = parser.parse_args()
    found = data.load(DataSettings(dataset="fashion_mnist", data_dir=options.data_dir))
    images = np.concatenate([found.train.samples(), found.validation.samples()])
    labels = np.concatenate([found.train.labels, found.validation.labels])
    lines = [("", "bytes", "accuracy", "margin", "basis", "s")]
    for name, changes in ROWS.items():
        if options.only not in name:
            continue
        started = time.perf_counter()
        different = {"target_bytes": options.target_bytes, **changes}
        records = [trained(images, labels, seed, **different) for seed in range(options.seeds)]
        size = statistics.mean(record[0] for record in records)
        accuracy = statistics.mean(record[1] for record in records)
        margin = 100 * (accuracy - on_the_line(size))
        bases = dict.fromkeys(record[2] for record in records)
        seconds = (time.perf_counter() - started) / options.seeds
        lines.append(
            (
                name,
                f"{size:,.0f}",
                f"{accuracy:.4f}",
                f"{margin:+.2f}",
                ", ".join(bases),
                f"{seconds:.0f}",
            )
        )
        print(" | ".join(lines[-1]), flush=True)
    print()
    print(table(lines, right_from=1))


def on_the_line(size: float) -> float:
    """Accuracy at a size, linear in the size's logarithm."""
    sizes, accuracies = zip(*LINE, strict=True)
    return float(np.interp(math.log(size), np.log(sizes), accuracies))


def trained(
    images: Any,
    labels: Any,
    seed: int,
    *,
    patch: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    **compression: Any,
) -> tuple[int, float, str]:
    """Bytes, accuracy and basis of one training."""
    optimisation = {"batch_size": 128, "learning_rate_schedule": "cosine", **(training or {})}
    settings = Settings.from_flat({"epochs": EPOCHS, "seed": seed, **optimisation})
    keras.utils.set_random_seed(seed)
    model, decoded = (models.build(settings.training, images.shape[1:], 10) for _ in range(2))
    parts = images[:-HELD_OUT], labels[:-HELD_OUT]
    for each in (model, decoded):
        optimizers.compile_model(each, settings, len(parts[1]))
    batches = data.pipeline(*parts, settings.training.batch_size, shuffle_seed=seed)
    patches = [
        mock.patch(f"{PACKAGE}.{constant}", value) for constant, value in (patch or {}).items()
    ]
    for each in patches:
        each.start()
    try:
        callback = DWTCompression(**{**CHOSEN, **compression})
        model.fit(batches, epochs=EPOCHS, callbacks=[callback], verbose=0, shuffle=False)
    finally:
        for each in patches:
            each.stop()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.dwtz"
        size = save_compressed(model, path, kernels=callback.targets, with_architecture=False)
        load_compressed_weights(path, decoded)
    accuracy = decoded.evaluate(
        images[-HELD_OUT:], labels[-HELD_OUT:], batch_size=1000, verbose=0, return_dict=True
    )["accuracy"]
    return size, float(accuracy), str(callback.targets[0].basis)


if __name__ == "__main__":
    main()
