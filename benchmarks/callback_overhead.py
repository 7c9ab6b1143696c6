"""What the callback costs: epoch time with it over epoch time without, in one process.

    python benchmarks/callback_overhead.py --data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES

Two networks of one kind take turns epoch by epoch, one with DWTCompression and one without, and
the ratios of neighbouring epochs are taken: the machine's speed drifts, their median does so less.
Beside it stands the fastest epoch over the fastest epoch, for machines whose speed jumps. The row
"nothing" compares a network with itself and shows what noise is left.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from dwt_keras import DWTCompression
from dwt_keras.settings import DataSettings, Settings
from dwt_keras.training import data, models, optimizers
from dwt_keras.views import tables

BATCH_SIZE = 128
VARIANTS: dict[str, dict[str, Any] | None] = {
    "nothing": None,
    "haar 3, shrink each epoch": {"wavelet": "haar", "level": 3, "hold_support": False},
    "haar 3, support held": {"wavelet": "haar", "level": 3},
    "sym2 2, support held": {"wavelet": "sym2", "level": 2},
    "none, support held": {"wavelet": "none"},
    "bior4.4 1, target_bytes": {"wavelet": "bior4.4", "level": 1, "target_bytes": 20000},
    "sym4 2, target_bytes": {"wavelet": "sym4", "level": 2, "target_bytes": 20000},
    "none, target_bytes": {"wavelet": "none", "target_bytes": 20000},
}


class TakeTurns(keras.callbacks.Callback):
    """Times each epoch, and after it one epoch of another network."""

    def __init__(self, other: keras.Model, batches: Any) -> None:
        super().__init__()
        self.other = other
        self.batches = batches
        self.pairs: list[tuple[float, float]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = time.perf_counter() - self.started
        clock = EpochSeconds()
        self.other.fit(self.batches, epochs=1, callbacks=[clock], verbose=0, shuffle=False)
        if epoch:  # The first epoch traces.
            self.pairs.append((seconds, clock.seconds))


class EpochSeconds(keras.callbacks.Callback):
    """Seconds of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds = time.perf_counter() - self.started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--networks", nargs="+", choices=["mlp", "cnn"], default=["mlp", "cnn"])
    parser.add_argument("--mlp_epochs", type=int, default=30)
    parser.add_argument("--cnn_epochs", type=int, default=12)
    parser.add_argument("--cnn_samples", type=int, default=6_400)
    parser.add_argument("--variants", default="", help="those whose names have this in them")
    options = parser.parse_args()
    dataset = data.load(DataSettings(dataset="fashion_mnist", data_dir=options.data_dir))
    rows = [("network", "variant", "fastest, ms a step", "without", "ratio", "median ratio")]
    for network, samples, epochs in (
        ("mlp", len(dataset.train), options.mlp_epochs),
        ("cnn", options.cnn_samples, options.cnn_epochs),
    ):
        if network not in options.networks:
            continue
        settings = Settings.from_flat({"model": network, "batch_size": BATCH_SIZE})
        batches = data.pipeline(
            dataset.train.samples(samples),
            dataset.train.labels[:samples],
            BATCH_SIZE,
            shuffle_seed=0,
        )
        for variant, arguments in VARIANTS.items():
            if options.variants not in variant:
                continue
            model, plain = (
                models.build(settings.training, dataset.input_shape, dataset.classes)
                for _ in range(2)
            )
            for each in (model, plain):
                optimizers.compile_model(each, settings, samples)
            turns = TakeTurns(plain, batches)
            callbacks: list[Any] = [turns]
            if arguments is not None:
                compression = {"ramp": "constant", **arguments}
                if "target_bytes" not in arguments:
                    compression |= {"threshold": 0.95, "threshold_rule": "quantile"}
                callbacks.insert(0, DWTCompression(**compression))
            model.fit(batches, epochs=epochs + 1, callbacks=callbacks, verbose=0, shuffle=False)
            ratios = [first / second for first, second in turns.pairs]
            with_it, without = (
                min(seconds) / len(batches) * 1e3 for seconds in zip(*turns.pairs, strict=True)
            )
            rows.append(
                (
                    network,
                    variant,
                    f"{with_it:.2f}",
                    f"{without:.2f}",
                    f"{with_it / without:.3f}",
                    f"{statistics.median(ratios):.3f}",
                )
            )
            print(" | ".join(rows[-1]), flush=True)
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    print(tables.table(rows, right_from=2))


if __name__ == "__main__":
    main()
