"""How long the data of an epoch take by themselves, beside the training that they are for.

    python benchmarks/input_pipeline.py [--data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES]

Data are made ready on other threads while batches are trained on, so that they are the bottleneck
only where they take longer than the rest of a step. Prints, for each network and kind of data,
seconds an epoch takes with training and seconds for its batches alone, both as train.py has them,
best of some epochs, and the share.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from dwt_keras.settings import Settings
from dwt_keras.training import augmentation, data, epochs, fitting, telling
from dwt_keras.views.tables import table

EPOCHS = 4
VARIED = "flip,rotate=10,shift=0.1,noise=0.05"


class Clock(keras.callbacks.Callback):
    """The seconds of each epoch's batches."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_test_begin(self, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="of Fashion-MNIST; digits without it")
    options = parser.parse_args()
    images: dict[str, Any] = {"dataset": "digits"}
    if options.data_dir:
        images = {"dataset": "fashion_mnist", "data_dir": options.data_dir}
    lines = [("data", "network", "trained, s", "data alone, s", "share")]
    with tempfile.TemporaryDirectory() as place:
        folder = written(images, Path(place))
        for name, flags in (
            ("in memory", {**images, "model": "mlp"}),
            ("in memory, varied", {**images, "model": "mlp", "augment": VARIED}),
            ("in memory, varied", {**images, "model": "cnn", "augment": VARIED}),
            ("folder of PNG", {"dataset": folder, "model": "mlp"}),
            ("folder of PNG, varied", {"dataset": folder, "model": "cnn", "augment": VARIED}),
        ):
            trained, alone = both({**flags, "batch_size": 128, "epochs": EPOCHS}, Path(place))
            share = f"{alone / trained:.2f}"
            lines.append((name, str(flags["model"]), f"{trained:.2f}", f"{alone:.2f}", share))
    print(table(lines, right_from=2))


def both(flags: dict[str, Any], place: Path) -> tuple[float, float]:
    """Seconds of an epoch with training and without."""
    settings = Settings.from_flat(flags)
    dataset = data.load(settings.data)
    clock = Clock()
    with telling.quietly(), tempfile.TemporaryDirectory(dir=place) as folder:
        fitting.fit(fitting.prepare(settings, dataset), settings, dataset, Path(folder), [clock])
    alone = []
    for epoch in range(EPOCHS):
        seed = epochs.epoch_seed(settings.training.seed, epoch)
        batches = dataset.train.batches(settings.training.batch_size, shuffle_seed=seed)
        started = time.perf_counter()
        for _ in augmentation.varied(batches, settings.augmentation, seed):
            pass
        alone.append(time.perf_counter() - started)
    return min(clock.seconds), min(alone)


def written(images: dict[str, Any], place: Path) -> str:
    """A folder of class folders with some of the same images."""
    dataset = data.load(Settings.from_flat(images).data)
    samples, labels = dataset.train.samples(5000), dataset.train.labels[:5000]
    for number, (image, label) in enumerate(zip(samples, labels, strict=True)):
        folder = place / "images" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(folder / f"{number}.png", np.round(255 * image), scale=False)
    return f"{place / 'images'}/"


if __name__ == "__main__":
    main()
