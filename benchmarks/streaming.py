"""Whether images of a folder stream: memory does not grow with their number.

    python benchmarks/streaming.py --images=20000

Writes PNG images of noise into a temporary folder, trains an mlp on them for one epoch, and
prints how much memory the process had at its peak: before the training, after its first batches
and at its end. As arrays the images would take what the last line says.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dwt_keras.settings import Settings
from dwt_keras.training import data, fitting

BATCH_SIZE, FIRST_BATCHES = 64, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=96, help="pixels")
    parser.add_argument("--classes", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        write(Path(temporary), options.images, options.side, options.classes)
        started = time.perf_counter()
        settings = Settings.from_flat(
            {"dataset": f"{temporary}/", "hidden_units": (16,), "batch_size": BATCH_SIZE}
        )
        found = data.load(settings.data)
        print(f"found and checked {options.images:,} files: {time.perf_counter() - started:.1f} s")
        model = fitting.build(settings, found)
        print(f"before the training: {peak():,.0f} MB")
        memory = Memory()
        started = time.perf_counter()
        batches = found.train.batches(BATCH_SIZE, shuffle_seed=0)
        model.fit(batches, shuffle=False, verbose=0, callbacks=[memory])
        seconds = time.perf_counter() - started
        print(f"after {FIRST_BATCHES} batches: {memory.first:,.0f} MB")
        print(f"after {memory.batches:,} batches: {peak():,.0f} MB, ", end="")
        print(f"{len(found.train) / seconds:,.0f} images a second")
    print(f"as float32 the training part has {4e-6 * len(found.train) * options.side**2:,.0f} MB")


class Memory(keras.callbacks.Callback):
    """Notes the peak of the memory once the pipeline is under way."""

    first = 0.0
    batches = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches = batch + 1
        if self.batches == FIRST_BATCHES:
            self.first = peak()


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def write(root: Path, images: int, side: int, classes: int) -> None:
    """Grey PNG images of noise, a folder for each class."""
    random = np.random.default_rng(0)
    for number in range(classes):
        (root / f"{number:03d}").mkdir()
    for index in range(images):
        pixels = random.integers(0, 256, (side, side, 1), dtype=np.uint8)
        path = root / f"{index % classes:03d}" / f"{index:06d}.png"
        # Noise cannot be compressed.
        keras.utils.save_img(path, pixels, scale=False, compress_level=0)


if __name__ == "__main__":
    main()
